//go:build !cgo

package capture

func describe(path string) (Description, error) { return describeOwn(path) }
