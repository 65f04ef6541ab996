package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// plots is where runs over links are drawn: `go test -run TestLinks -plots DIR`.
var plots = flag.String("plots", "", "directory for drawings of what happened")

// A curve has a value each second.
type curve struct {
	name, colour string
	values       []float64
}

// A panel is a diagram of some curves.
type panel struct {
	title  string
	curves []curve
}

const (
	plotWidth  = 800
	plotHeight = 180
	plotEdge   = 50
)

// draw writes panels, one below the other, as SVG.
func draw(t *testing.T, name string, panels ...panel) {
	if *plots == "" {
		return
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n",
		plotWidth, len(panels)*plotHeight)
	fmt.Fprint(&b, `<rect width="100%" height="100%" fill="white"/>`+"\n")
	for i, p := range panels {
		p.write(&b, i*plotHeight)
	}
	b.WriteString("</svg>\n")
	if err := os.MkdirAll(*plots, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(*plots, name), []byte(b.String()), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p *panel) write(b *strings.Builder, top int) {
	most, seconds := 0.0, 1
	for _, c := range p.curves {
		seconds = max(seconds, len(c.values)-1)
		for _, v := range c.values {
			most = max(most, v)
		}
	}
	high, wide := float64(plotHeight-60), float64(plotWidth-2*plotEdge)
	floor := float64(top + plotHeight - 30)
	fmt.Fprintf(b, `<text x="%d" y="%d">%s</text>`+"\n", plotEdge, top+18, p.title)
	fmt.Fprintf(b, `<path d="M%d %.0fV%.0fH%d" fill="none" stroke="black"/>`+"\n", plotEdge, floor-high, floor, plotWidth-plotEdge)
	fmt.Fprintf(b, `<text x="4" y="%.0f">%.3g</text><text x="4" y="%.0f">0</text>`+"\n", floor-high+4, most, floor)
	for s := 0; s <= seconds; s += 10 {
		fmt.Fprintf(b, `<text x="%.0f" y="%.0f">%d s</text>`+"\n", plotEdge+wide*float64(s)/float64(seconds), floor+14, s)
	}
	for i, c := range p.curves {
		fmt.Fprintf(b, `<polyline fill="none" stroke="%s" points="`, c.colour)
		for s, v := range c.values {
			fmt.Fprintf(b, "%.1f,%.1f ", plotEdge+wide*float64(s)/float64(seconds), floor-high*v/max(most, 1e-9))
		}
		fmt.Fprintf(b, `"/><text x="%d" y="%d" fill="%s">%s</text>`+"\n", plotWidth-3*plotEdge, top+18+14*i, c.colour, c.name)
	}
}
