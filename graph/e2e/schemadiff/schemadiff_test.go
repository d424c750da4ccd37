package schemadiff_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/graph/e2e/schemadiff"
)

// Each pair of schemas is compared in both directions.
var pairs = map[string]struct {
	a, b         string
	there, again []string // what breaks from a to b, and from b to a
}{
	"nothing": {"type T { f: Int }", "type T { f: Int }", nil, nil},
	"order, descriptions and deprecations": {
		`type T { f: Int, g(a: Int, b: Int): Int } enum E { A B }`,
		`"new" enum E { B "new" A @deprecated } "new" type T { g(b: Int, "new" a: Int): Int "new" f: Int @deprecated(reason: "use g") }`, nil, nil,
	},
	"a type":                       {"type T { f: Int } scalar S", "type T { f: Int }", []string{"S is removed"}, nil},
	"a kind":                       {"scalar S", "enum S { A }", []string{"S was of the kind SCALAR and is ENUM"}, []string{"S was of the kind ENUM and is SCALAR"}},
	"a field":                      {"type T { f: Int g: Int }", "type T { f: Int }", []string{"T.g is removed"}, nil},
	"a field of an interface":      {"interface T { f: Int g: Int }", "interface T { f: Int }", []string{"T.g is removed"}, nil},
	"a field's name in other case": {"type T { f: Int }", "type T { F: Int }", []string{"T.f is removed"}, []string{"T.F is removed"}},
	"a field's type":               {"type T { f: Int }", "type T { f: Float }", []string{"T.f was Int and is Float"}, []string{"T.f was Float and is Int"}},
	"a field that may be null":     {"type T { f: Int! }", "type T { f: Int }", []string{"T.f was Int! and is Int"}, nil},
	"elements that may be null":    {"type T { f: [Int!] }", "type T { f: [Int] }", []string{"T.f was [Int!] and is [Int]"}, nil},
	"a list in a list":             {"type T { f: [[Int!]!]! }", "type T { f: [[Int]!]! }", []string{"T.f was [[Int!]!]! and is [[Int]!]!"}, nil},
	"a list":                       {"type T { f: Int }", "type T { f: [Int] }", []string{"T.f was Int and is [Int]"}, []string{"T.f was [Int] and is Int"}},
	"an interface":                 {"type T implements I & J { f: Int }", "type T implements J { f: Int }", []string{"T implements I no more"}, nil},
	"a member":                     {"union U = A | B", "union U = B", []string{"U has no member A any more"}, nil},
	"an enum value":                {"enum E { A B }", "enum E { B }", []string{"E.A is removed"}, nil},

	"an argument": {"type T { f(a: Int): Int }", "type T { f: Int }", []string{"T.f(a:) is removed"}, nil},
	"a required argument": {
		"type T { f(a: Int!): Int }", "type T { f: Int }",
		[]string{"T.f(a:) is removed"}, []string{"T.f(a:) is new and required"},
	},
	"an argument with a default":   {"type T { f(a: Int! = 1): Int }", "type T { f: Int }", []string{"T.f(a:) is removed"}, nil},
	"an argument that is required": {"type T { f(a: Int): Int }", "type T { f(a: Int!): Int }", []string{"T.f(a:) was Int and is Int!"}, nil},
	"elements that are required":   {"type T { f(a: [Int]!): Int }", "type T { f(a: [Int!]!): Int }", []string{"T.f(a:) was [Int]! and is [Int!]!"}, nil},
	"an argument's type":           {"type T { f(a: ID): Int }", "type T { f(a: Int): Int }", []string{"T.f(a:) was ID and is Int"}, []string{"T.f(a:) was Int and is ID"}},
	"an argument's default":        {"type T { f(a: Int! = 1): Int }", "type T { f(a: Int!): Int }", []string{"T.f(a:) has no default any more"}, nil},
	"another default":              {"type T { f(a: Int = 1): Int }", "type T { f(a: Int = 2): Int }", nil, nil},

	"an input field":                  {"input I { a: Int b: Int }", "input I { a: Int }", []string{"I.b is removed"}, nil},
	"a required input field":          {"input I { a: Int b: Int! }", "input I { a: Int }", []string{"I.b is removed"}, []string{"I.b is new and required"}},
	"an input field with a default":   {"input I { a: Int b: Int! = 1 }", "input I { a: Int }", []string{"I.b is removed"}, nil},
	"an input field that is required": {"input I { a: Int }", "input I { a: Int! }", []string{"I.a was Int and is Int!"}, nil},

	"a directive":            {"directive @d on FIELD", "scalar S", []string{"@d is removed"}, []string{"S is removed"}},
	"a directive's argument": {"directive @d(a: Int) on FIELD", "directive @d on FIELD", []string{"@d(a:) is removed"}, nil},
	"a directive's place":    {"directive @d on FIELD | QUERY", "directive @d on QUERY", []string{"@d stands on FIELD no more"}, nil},
	"a repeatable directive": {"directive @d repeatable on FIELD", "directive @d on FIELD", []string{"@d is repeatable no more"}, nil},

	"a key": {`type T @key(fields: "id") @key(fields: "no") { id: ID }`, `type T @key(fields: "id") { id: ID }`, []string{`T has no key "no" any more`}, nil},
	"a key that is no more resolved": {
		`type T @key(fields: "id") { id: ID }`, `type T @key(fields: "id", resolvable: false) { id: ID }`, []string{`T has no key "id" any more`}, nil,
	},
	"an extension":             {"type T { f: Int } extend type T { g: Int }", "type T { f: Int g: Int }", nil, nil},
	"an extension by itself":   {"extend type T { f: Int }", "type T { g: Int }", []string{"T.f is removed"}, []string{"T.g is removed"}},
	"an extension of an enum":  {"enum E { A } extend enum E { B }", "enum E { A }", []string{"E.B is removed"}, nil},
	"an extension of a union":  {"union U = A extend union U = B", "union U = A", []string{"U has no member B any more"}, nil},
	"an extension of an input": {"input I { a: Int } extend input I { b: Int! }", "input I { a: Int }", []string{"I.b is removed"}, []string{"I.b is new and required"}},
}

func TestSchemadiff_Breaking(t *testing.T) {
	compare := func(name, before, after string, want []string) {
		t.Helper()
		changes, err := schemadiff.Breaking(before, after)
		require.NoError(t, err, name)
		var found []string
		for _, change := range changes {
			found = append(found, change.String())
		}
		assert.Equal(t, want, found, name)
	}
	for name, pair := range pairs {
		compare(name, pair.a, pair.b, pair.there)
		compare(name+", back", pair.b, pair.a, pair.again)
	}
}

func TestBreaking_NamesTheTextThatIsNoSchema(t *testing.T) {
	_, err := schemadiff.Breaking("type", "scalar S")
	assert.ErrorContains(t, err, "read the old schema")
	_, err = schemadiff.Breaking("scalar S", "type")
	assert.ErrorContains(t, err, "read the new schema")
}
