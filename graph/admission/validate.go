package admission

import (
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/core"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"jobgraph/graph/errcode"
)

// messages are what a client reads where a rule fails. gqlparser's own texts hold
// names of the schema, which may be private, and bytes of the request, which are
// never sent back: the location says which place is meant.
var messages = map[string]string{
	"FieldsOnCorrectType":          "The type at this place has no such field.",
	"FragmentsOnCompositeTypes":    "A fragment can only be on an object, an interface or a union.",
	"KnownArgumentNames":           "There is no such argument here.",
	"KnownDirectives":              "There is no such directive, or not at this place. @defer and @stream are not supported.",
	"KnownFragmentNames":           "This fragment is not in the document. Add it, or correct its name.",
	"KnownRootType":                "The schema has no operations of this kind.",
	"KnownTypeNames":               "The schema has no such type.",
	"LoneAnonymousOperation":       "An operation without a name must be the only one. Name each operation.",
	"MaxIntrospectionDepth":        "The introspection goes too deep. Leave out nested lists of fields and types.",
	"NoFragmentCycles":             "This fragment spreads itself. Break the circle.",
	"NoUndefinedVariables":         "This variable is not declared by the operation. Declare it.",
	"NoUnusedFragments":            "This fragment is never spread. Remove it.",
	"NoUnusedVariables":            "This variable is never used. Remove it.",
	"OverlappingFieldsCanBeMerged": "Fields with the same name in the answer are not the same here. Give them different aliases.",
	"PossibleFragmentSpreads":      "This fragment can never match at this place.",
	"ProvidedRequiredArguments":    "A required argument is missing.",
	"ScalarLeafs":                  "Select fields of an object, and none of a scalar or an enum.",
	"SingleFieldSubscriptions":     "A subscription must have exactly one field at its top.",
	"UniqueArgumentNames":          "This argument is given more than once.",
	"UniqueDirectivesPerLocation":  "This directive stands more than once at one place.",
	"UniqueFragmentNames":          "There is more than one fragment of this name.",
	"UniqueInputFieldNames":        "This input field is given more than once.",
	"UniqueOperationNames":         "There is more than one operation of this name.",
	"UniqueVariableNames":          "This variable is declared more than once.",
	"ValuesOfCorrectType":          "This value does not fit the type that is wanted here.",
	"VariablesAreInputTypes":       "A variable must be of an input type.",
	"VariablesInAllowedPosition":   "This variable's type does not fit the place where it is used. Mend its declaration.",
}

// knownDirectives is the rule whose failures are one error with many locations: whoever
// asks for what this server has not makes one mistake, however often.
const knownDirectives = "KnownDirectives"

// validate gives at most maxErrors failures.
func (g *Guard) validate(parsed *ast.QueryDocument) gqlerror.List {
	failures := mergeRule(knownDirectives, validator.ValidateWithRules(g.schema, parsed, boundedRules()))
	for _, failure := range failures {
		own, known := messages[failure.Rule]
		if !known {
			own = "The query is not valid here."
		}
		_, suggestion, found := strings.Cut(failure.Message, "Did you mean ")
		if found && g.introspection {
			own += " Did you mean " + suggestion
		}
		failure.Message, failure.Path = own, nil
		if len(failure.Locations) > maxLocations {
			failure.Locations = failure.Locations[:maxLocations]
		}
		errcode.Set(failure, errcode.ValidationFailed)
	}
	return failures
}

// maxLocations bounds the places that one error names.
const maxLocations = 10

// mergeRule makes the failures of one rule the first of them, with the locations of all.
func mergeRule(rule string, failures gqlerror.List) gqlerror.List {
	var merged *gqlerror.Error
	return slices.DeleteFunc(failures, func(failure *gqlerror.Error) bool {
		switch {
		case failure.Rule != rule:
			return false
		case merged == nil:
			merged = failure
			return false
		}
		for _, location := range failure.Locations {
			if !slices.Contains(merged.Locations, location) { // a fragment is walked at each spread
				merged.Locations = append(merged.Locations, location)
			}
		}
		return true
	})
}

// boundedRules are GraphQL's rules, which together report no more than what will
// be shown.
func boundedRules() *rules.Rules {
	defaults := rules.NewDefaultRules()
	defaults.ReplaceRule("UniqueDirectivesPerLocation", uniqueDirectives)
	reported := 0
	bounded := rules.NewRules()
	for name, rule := range defaults.GetInner() {
		places := 0 // of failures that will be one
		bounded.AddRule(name, func(events *core.Events, report core.AddErrFunc) {
			rule(events, func(options ...core.ErrorOption) {
				switch {
				case name == knownDirectives && places > 0:
					if places < maxLocations {
						places++
						report(options...)
					}
				case reported < maxErrors:
					places++
					reported++
					report(options...)
				}
			})
		})
	}
	return bounded
}

// uniqueDirectives is GraphQL's rule for directives that are known: gqlparser's own
// reports those that are not as well, a second time.
func uniqueDirectives(events *core.Events, report core.AddErrFunc) {
	events.OnDirectiveList(func(_ *core.Walker, directives []*ast.Directive) {
		seen := map[string]bool{}
		for _, directive := range directives {
			if directive.Definition == nil || directive.Definition.IsRepeatable {
				continue
			}
			if seen[directive.Name] {
				report(core.Message("%s", directive.Name), core.At(directive.Position))
			}
			seen[directive.Name] = true
		}
	})
}

// parseFailed says where a text cannot be read, and nothing of what stands there.
func (g *Guard) parseFailed(err error) *gqlerror.Error {
	shown := &gqlerror.Error{Message: "The query cannot be read at this place. See the GraphQL syntax for what may stand there."}
	known, ok := err.(*gqlerror.Error)
	switch {
	case ok && strings.HasPrefix(known.Message, "exceeded token limit"):
		shown = refused("", "The query has more than %d tokens. Ask in several operations.", g.limits.Tokens)[0]
	case ok && strings.HasPrefix(known.Message, "exceeded maximum nesting"):
		shown.Message = "The query nests too deep."
	case ok:
		shown.Locations = known.Locations
	}
	errcode.Set(shown, errcode.ParseFailed)
	return shown
}
