// Package schemadiff finds what in a schema takes something away from its clients.
//
// Its tests hold schema.graphqls against testdata/released.graphqls, the schema of
// the last release.
package schemadiff

import (
	"fmt"
	"maps"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// Change is one thing that an operation, a client's code or a gateway that worked
// with the old schema may not survive.
type Change struct {
	// At is the schema coordinate, such as Job.name, Query.job(ids:) or @tag.
	At string
	// What says what happened to it.
	What string
}

func (c Change) String() string { return c.At + " " + c.What }

// Breaking are the changes from one schema's text to another's that break, in the
// order of the old text. What is only new, deprecated or described otherwise breaks
// nothing. The texts are parsed and not validated: directives need no definition.
func Breaking(before, after string) ([]Change, error) {
	old, err := parse("the old schema", before)
	if err != nil {
		return nil, err
	}
	now, err := parse("the new schema", after)
	if err != nil {
		return nil, err
	}
	var d diff
	for _, t := range old.definitions {
		d.definition(t, now.definitions.ForName(t.Name))
	}
	for _, directive := range old.directives {
		d.directive(directive, now.directives.ForName(directive.Name))
	}
	return d.changes, nil
}

type schema struct {
	definitions ast.DefinitionList
	directives  ast.DirectiveDefinitionList
}

// parse reads the text and puts each extension of a type into its definition.
func parse(name, text string) (schema, error) {
	document, err := parser.ParseSchema(&ast.Source{Name: name, Input: text})
	if err != nil {
		return schema{}, fmt.Errorf("read %s: %w", name, err)
	}
	s := schema{document.Definitions, document.Directives}
	for _, extension := range document.Extensions {
		t := s.definitions.ForName(extension.Name)
		if t == nil {
			s.definitions = append(s.definitions, extension)
			continue
		}
		t.Fields = append(t.Fields, extension.Fields...)
		t.Types = append(t.Types, extension.Types...)
		t.Interfaces = append(t.Interfaces, extension.Interfaces...)
		t.EnumValues = append(t.EnumValues, extension.EnumValues...)
		t.Directives = append(t.Directives, extension.Directives...)
	}
	return s, nil
}

// diff collects changes. Each method compares an old thing with the new one of the
// same name, nil where there is none.
type diff struct{ changes []Change }

func (d *diff) add(at, format string, args ...any) {
	d.changes = append(d.changes, Change{at, fmt.Sprintf(format, args...)})
}

func (d *diff) definition(old, now *ast.Definition) {
	switch {
	case now == nil:
		d.add(old.Name, "is removed")
		return
	case old.Kind != now.Kind:
		d.add(old.Name, "was of the kind %s and is %s", old.Kind, now.Kind)
		return
	}
	for _, name := range old.Interfaces {
		if !slices.Contains(now.Interfaces, name) {
			d.add(old.Name, "implements %s no more", name)
		}
	}
	for _, name := range old.Types {
		if !slices.Contains(now.Types, name) {
			d.add(old.Name, "has no member %s any more", name)
		}
	}
	for _, value := range old.EnumValues {
		if now.EnumValues.ForName(value.Name) == nil {
			d.add(old.Name+"."+value.Name, "is removed")
		}
	}
	d.keys(old, now)
	if old.Kind == ast.InputObject {
		d.inputs(old, now)
		return
	}
	for _, field := range old.Fields {
		d.field(old.Name+"."+field.Name, field, now.Fields.ForName(field.Name))
	}
}

// keys are how the other subgraphs of a federated graph refer to an entity.
func (d *diff) keys(old, now *ast.Definition) {
	common := keysOf(now)
	for _, key := range slices.Sorted(maps.Keys(keysOf(old))) {
		if !common[key] {
			d.add(old.Name, "has no key %q any more", key)
		}
	}
}

func keysOf(t *ast.Definition) map[string]bool {
	keys := map[string]bool{}
	for _, key := range t.Directives.ForNames("key") {
		resolvable := key.Arguments.ForName("resolvable")
		if fields := key.Arguments.ForName("fields"); fields != nil && (resolvable == nil || resolvable.Value.Raw != "false") {
			keys[fields.Value.Raw] = true
		}
	}
	return keys
}

func (d *diff) field(at string, old, now *ast.FieldDefinition) {
	if now == nil {
		d.add(at, "is removed")
		return
	}
	// What comes out may be promised more strictly.
	if !narrows(now.Type, old.Type) {
		d.add(at, "was %s and is %s", old.Type, now.Type)
	}
	d.arguments(at, old.Arguments, now.Arguments)
}

func (d *diff) directive(old, now *ast.DirectiveDefinition) {
	at := "@" + old.Name
	if now == nil {
		d.add(at, "is removed")
		return
	}
	for _, location := range old.Locations {
		if !slices.Contains(now.Locations, location) {
			d.add(at, "stands on %s no more", location)
		}
	}
	if old.IsRepeatable && !now.IsRepeatable {
		d.add(at, "is repeatable no more")
	}
	d.arguments(at, old.Arguments, now.Arguments)
}
