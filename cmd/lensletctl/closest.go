package main

import "strings"

// closest is the name that was probably meant: the one with the fewest letters
// to change, at most a third of them, or else the shortest that holds what was
// given. "" if none is near.
func closest(given string, names []string) string {
	given = strings.ToLower(given)
	best, fewest := "", max(1, len(given)/3)+1
	for _, name := range names {
		if d := distance(given, name); d < fewest {
			best, fewest = name, d
		}
	}
	if best != "" || len(given) < 3 {
		return best
	}
	for _, name := range names {
		if strings.Contains(name, given) && (best == "" || len(name) < len(best)) {
			best = name
		}
	}
	return best
}

// distance is Levenshtein's, in bytes: parameters have ASCII names.
func distance(a, b string) int {
	row := make([]int, len(b)+1) // of the letters of a so far against b
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			changed := diagonal
			if a[i] != b[j] {
				changed++
			}
			diagonal = row[j+1]
			row[j+1] = min(changed, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
