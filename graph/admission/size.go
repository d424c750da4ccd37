package admission

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/vektah/gqlparser/v2/ast"
)

// slicingArguments are the fields whose list is as long as an argument: the argument's name.
// Each entry of that list can cause one call of the job API.
var slicingArguments = map[string]string{
	"job":        "ids",
	"jobById":    "id",
	"jobUpdated": "ids",
	"_entities":  "representations",
}

// sizes tells how long a field's list is taken to be.
type sizes map[string]int

// newSizes knows the lists of introspection from the schema itself: they are as
// long as the schema's own on average, and __schema's whole.
func newSizes(schema *ast.Schema) sizes {
	fields, arguments, values := 0, 0, 0
	for _, definition := range schema.Types {
		fields += len(definition.Fields)
		values += len(definition.EnumValues)
		for _, field := range definition.Fields {
			arguments += len(field.Arguments)
		}
	}
	types := len(schema.Types)
	known := sizes{
		"types":         types,
		"directives":    len(schema.Directives),
		"fields":        average(fields, types),
		"enumValues":    average(values, types),
		"args":          average(arguments, fields),
		"inputFields":   1,
		"interfaces":    1,
		"possibleTypes": 1,
		pageField:       defaultOf(schema, pageField, "first"),
	}
	for field, price := range prices {
		if _, sliced := slicingArguments[field]; !sliced && price.size > 0 {
			known[field] = price.size
		}
	}
	return known
}

// defaultOf is the number that an argument of Query has where it is left out.
func defaultOf(schema *ast.Schema, field, argument string) int {
	if of := schema.Query.Fields.ForName(field); of != nil {
		if at := of.Arguments.ForName(argument); at != nil && at.DefaultValue != nil {
			number, _ := strconv.Atoi(at.DefaultValue.Raw)
			return number
		}
	}
	return 1
}

func (s sizes) of(field string) int { return max(1, s[field]) }

// average is rounded up.
func average(sum, count int) int { return (sum + count - 1) / max(1, count) }

// listLength is how many entries an argument brings, before anything is coerced.
func listLength(value *ast.Value, variables map[string]any, operation *ast.OperationDefinition) int {
	if value == nil {
		return 0
	}
	switch value.Kind {
	case ast.Variable:
		given, ok := variables[value.Raw]
		if !ok {
			definition := operation.VariableDefinitions.ForName(value.Raw)
			if definition == nil || definition.DefaultValue == nil || definition.DefaultValue.Kind == ast.Variable {
				return 0
			}
			return listLength(definition.DefaultValue, nil, operation)
		}
		switch given := given.(type) {
		case nil:
			return 0
		case []any:
			return len(given)
		default: // coerced to a list of one
			return 1
		}
	case ast.ListValue:
		return len(value.Children)
	case ast.NullValue:
		return 0
	default:
		return 1
	}
}

// pageField is the field whose list is as long as its argument first says, and pageInfoField
// what such a page has once.
const (
	pageField     = "jobs"
	pageInfoField = "pageInfo"
)

// pageLength is what first says before anything is coerced: the schema's default where it is
// left out or null. What is no number is 1: coercion refuses it.
func (s sizes) pageLength(first *ast.Value, variables map[string]any, operation *ast.OperationDefinition) int {
	text := ""
	switch {
	case first == nil || first.Kind == ast.NullValue:
		return s[pageField]
	case first.Kind == ast.Variable:
		given, ok := variables[first.Raw]
		definition := operation.VariableDefinitions.ForName(first.Raw)
		switch {
		case !ok && (definition == nil || definition.DefaultValue == nil || definition.DefaultValue.Kind == ast.NullValue):
			return s[pageField]
		case !ok:
			text = definition.DefaultValue.Raw
		case given == nil:
			return s[pageField]
		default:
			text = fmt.Sprint(given)
		}
	default:
		text = first.Raw
	}
	number, err := strconv.Atoi(text)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return math.MaxInt
	case err != nil:
		return 1
	}
	return number
}

// nameUnit is how many bytes of a field's key count as one field more, and textUnit how
// many of an id count as one entry more: an answer repeats the keys in each entry, and
// the ids that were asked in each field that tells them. No name of the schema and no
// id of the job API is as long.
const (
	nameUnit = 32
	textUnit = 64
)

// keyWeight is how many fields one counts for by what its key has of the answer.
func keyWeight(key string) int { return 1 + len(key)/nameUnit }

// oversizeWeight is how many entries more the ids count for. Their number is checked already.
func oversizeWeight(value *ast.Value, variables map[string]any, operation *ast.OperationDefinition) int {
	if value == nil {
		return 0
	}
	more := 0
	switch value.Kind {
	case ast.Variable:
		if given, ok := variables[value.Raw]; ok {
			return oversizeValue(given)
		}
		if definition := operation.VariableDefinitions.ForName(value.Raw); definition != nil {
			return oversizeWeight(definition.DefaultValue, nil, &ast.OperationDefinition{})
		}
	case ast.ListValue:
		for _, child := range value.Children {
			more = addSat(more, oversizeWeight(child.Value, variables, operation))
		}
	default:
		more = len(value.Raw) / textUnit
	}
	return more
}

func oversizeValue(given any) int {
	more := 0
	switch given := given.(type) {
	case string:
		more = len(given) / textUnit
	case json.Number:
		more = len(given) / textUnit
	case []any:
		for _, entry := range given {
			if _, nested := entry.([]any); !nested {
				more = addSat(more, oversizeValue(entry))
			}
		}
	}
	return more
}

// addSat and mulSat stop at the largest number instead of going round.
func addSat(a, b int) int {
	if a > math.MaxInt-b {
		return math.MaxInt
	}
	return a + b
}

func mulSat(a, b int) int {
	if a != 0 && b > math.MaxInt/a {
		return math.MaxInt
	}
	return a * b
}
