package graph

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/formatter"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/parser"

	"jobgraph/graph/generated"
)

// SDL is the text of schema.graphqls, as the generated code has it.
func SDL() string {
	return generated.NewExecutableSchema(generated.Config{}).Schema().Types["Job"].Position.Src.Input
}

// FederationVersions are those that [SubgraphSDL] knows, the default first.
var FederationVersions = []string{"2.9", "2.0"}

// SubgraphSDL is what a gateway composes, by a version of federation: "2.0" has the entity and
// nothing that later gateways may know besides; "" is the default.
func SubgraphSDL(version string, prefix Prefix) string {
	if version != "2.0" && prefix.Types == "" {
		return SDL()
	}
	document := mustParse(SDL())
	names := renamer(prefix.names(document.Definitions))
	for i, definition := range document.Definitions {
		document.Definitions[i] = names.definition(definition)
	}
	if version != "2.0" {
		return format(document)
	}
	document.SchemaExtension = nil
	strip(document, func(d *ast.Directive) bool {
		return d.Name == "key" || d.Name == "shareable" || slices.Contains(plainDirectives, d.Name)
	})
	return `extend schema
  @link(url: "https://specs.apollo.dev/federation/v2.0", import: ["@key", "@shareable"])

` + format(document)
}

// mustParse is for the schema's own text.
func mustParse(sdl string) *ast.SchemaDocument {
	document, err := parser.ParseSchema(&ast.Source{Name: "schema.graphqls", Input: sdl})
	if err != nil {
		panic(err)
	}
	return document
}

func format(document *ast.SchemaDocument) string {
	var text strings.Builder
	formatter.NewFormatter(&text, formatter.WithIndent("  ")).FormatSchemaDocument(document)
	return text.String()
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
	document.SchemaExtension = nil
	strip(document, func(d *ast.Directive) bool { return slices.Contains(known, d.Name) })
	return format(document), nil
}

// strip leaves the directives that are to be kept.
func strip(document *ast.SchemaDocument, keep func(*ast.Directive) bool) {
	gone := func(directive *ast.Directive) bool { return !keep(directive) }
	for _, definition := range slices.Concat(document.Definitions, document.Extensions) {
		definition.Directives = slices.DeleteFunc(definition.Directives, gone)
		for _, field := range definition.Fields {
			field.Directives = slices.DeleteFunc(field.Directives, gone)
			for _, argument := range field.Arguments {
				argument.Directives = slices.DeleteFunc(argument.Directives, gone)
			}
		}
		for _, value := range definition.EnumValues {
			value.Directives = slices.DeleteFunc(value.Directives, gone)
		}
	}
}

// subgraph answers _service with the SDL that was chosen: gqlgen has that of its own sources.
type subgraph struct{ sdl string }

func (subgraph) ExtensionName() string                          { return "subgraph" }
func (subgraph) Validate(schema graphql.ExecutableSchema) error { return nil }

// MutateOperationContext has the field _Service.sdl resolved here.
func (s subgraph) MutateOperationContext(_ context.Context, operation *graphql.OperationContext) *gqlerror.Error {
	if !strings.Contains(operation.RawQuery, "_service") {
		return nil
	}
	next := operation.ResolverMiddleware
	operation.ResolverMiddleware = func(ctx context.Context, resolve graphql.Resolver) (any, error) {
		if field := graphql.GetFieldContext(ctx); field.Object == "_Service" && field.Field.Name == "sdl" {
			return s.sdl, nil
		}
		return next(ctx, resolve)
	}
	return nil
}
