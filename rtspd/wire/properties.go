package wire

import (
	"fmt"
	"strings"
)

// maxElements is how many elements a list in a header may have.
const maxElements = 32

// ParseProperties reads the value of the field Media-Properties (RFC 7826
// section 18.29): names, some with a value, which keeps its quotes. An empty
// value is an empty list: the question in a GET_PARAMETER.
func ParseProperties(v string) ([]Param, error) {
	list := List(v)
	if len(list) > maxElements {
		return nil, fmt.Errorf("more than %d properties", maxElements)
	}
	var params []Param
	for _, element := range list {
		name, value, _ := strings.Cut(element, "=")
		name, value = trim(name), trim(value)
		if !all(name, isToken) || hasControl(value) {
			return nil, fmt.Errorf("%.40q is no property", element)
		}
		params = append(params, Param{name, value})
	}
	return params, nil
}

// FormatProperties writes the value of the field Media-Properties.
func FormatProperties(params []Param) string {
	parts := make([]string, len(params))
	for i, p := range params {
		parts[i] = p.Name
		if p.Value != "" {
			parts[i] += "=" + p.Value
		}
	}
	return strings.Join(parts, ", ")
}

// ParseRanges reads the value of the field Media-Range (RFC 7826 section
// 18.30): one range or more, of one unit or several. An empty value is an empty
// list: the question in a GET_PARAMETER.
func ParseRanges(v string) ([]Range, error) {
	list := List(v)
	if len(list) > maxElements {
		return nil, fmt.Errorf("more than %d ranges", maxElements)
	}
	var ranges []Range
	for _, element := range list {
		r, err := ParseRange(element)
		if err != nil {
			return nil, err
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// FormatRanges writes the value of the field Media-Range.
func FormatRanges(ranges []Range) string {
	parts := make([]string, len(ranges))
	for i, r := range ranges {
		parts[i] = r.String()
	}
	return strings.Join(parts, ", ")
}
