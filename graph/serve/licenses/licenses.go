// Package licenses has the licenses and notices of everything that is in the binary:
// JobGraph, Go, the modules that are linked, and what the playground's page is made of.
package licenses

import (
	_ "embed"

	"jobgraph/graph/playground"
)

// Run it again when go.mod changes; a test tells which module is missing.
//
//go:generate go run ./generate

//go:embed modules.txt
var modules string

// Text is all of them, as Markdown: a heading for each part, and its texts as they are.
func Text() string { return modules + "\n" + playground.Licenses() }
