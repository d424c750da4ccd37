package graph

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/parser"

	"jobgraph/graph/generated"
)

// SDL is the text of schema.graphqls, as the generated code has it.
func SDL() string {
	return generated.NewExecutableSchema(generated.Config{}).Schema().Types["Job"].Position.Src.Input
}

// plainDirectives are those that every GraphQL tool knows without being told.
var plainDirectives = []string{"deprecated", "oneOf", "specifiedBy"}

// PlainSDL is the subgraph's SDL without what only federation's tools know: the
// link to federation's specification, and the directives that come from there.
// Code generators and graphql-js's buildSchema refuse a directive that is not
// defined. Gateways read the whole SDL in _service.
func PlainSDL(sdl string) (string, error) {
	document, err := parser.ParseSchema(&ast.Source{Name: "schema.graphqls", Input: sdl})
	if err != nil {
		return "", fmt.Errorf("read the schema: %w", err)
	}
	known := slices.Clone(plainDirectives)
	for _, directive := range document.Directives {
		known = append(known, directive.Name)
	}
	linked := func(directive *ast.Directive) bool { return !slices.Contains(known, directive.Name) }
	document.SchemaExtension = nil
	for _, definition := range slices.Concat(document.Definitions, document.Extensions) {
		definition.Directives = slices.DeleteFunc(definition.Directives, linked)
		for _, field := range definition.Fields {
			field.Directives = slices.DeleteFunc(field.Directives, linked)
			for _, argument := range field.Arguments {
				argument.Directives = slices.DeleteFunc(argument.Directives, linked)
			}
		}
		for _, value := range definition.EnumValues {
			value.Directives = slices.DeleteFunc(value.Directives, linked)
		}
	}
	var plain strings.Builder
	formatter.NewFormatter(&plain, formatter.WithIndent("  ")).FormatSchemaDocument(document)
	return plain.String(), nil
}
