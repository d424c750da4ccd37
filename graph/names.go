package graph

import (
	"errors"
	"maps"
	"regexp"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// Prefix has the schema's types served with a prefix before their names, for a graph in
// which a neighbour has types of the same ones. The zero Prefix serves them as they are.
type Prefix struct {
	Types  string `name:"type-prefix" env:"JOBGRAPH_TYPE_PREFIX" placeholder:"NAME" help:"Serve the schema's types with this before their names, such as Caption (CaptionApiError), for a graph in which a neighbour has types of the same names; Job, PageInfo and scalars keep theirs. None: as they are."`
	Entity bool   `name:"type-prefix-entity" env:"JOBGRAPH_TYPE_PREFIX_ENTITY" help:"Serve Job with --type-prefix as well: neighbours then refer to it by that name."`
}

var prefixForm = regexp.MustCompile(`^[A-Z][0-9A-Za-z]{0,30}$`)

// Validate is called at start.
func (p Prefix) Validate() error {
	switch {
	case p.Types == "" && p.Entity:
		return errors.New("--type-prefix-entity needs --type-prefix")
	case p.Types != "" && !prefixForm.MatchString(p.Types):
		return errors.New("--type-prefix must be a capital and up to 30 letters and digits, such as Caption")
	}
	return nil
}

// sharedTypes are of no subgraph's own: GraphQL's roots, and what the specification of
// connections has every subgraph define alike.
var sharedTypes = map[string]bool{"Query": true, "Mutation": true, "Subscription": true, "PageInfo": true}

// names are the types' served names by their own; nil where they are the same. Scalars keep
// theirs: they mean the same everywhere, by their specifications.
func (p Prefix) names(definitions ast.DefinitionList) map[string]string {
	if p.Types == "" {
		return nil
	}
	names := map[string]string{}
	for _, d := range definitions {
		switch {
		case d.BuiltIn, d.Kind == ast.Scalar, sharedTypes[d.Name], strings.HasPrefix(d.Name, "_"), d.Name == "Job" && !p.Entity:
		default:
			names[d.Name] = p.Types + d.Name
		}
	}
	return names
}

// renamer makes copies of definitions with other names.
type renamer map[string]string

func (r renamer) name(name string) string {
	if other, ok := r[name]; ok {
		return other
	}
	return name
}

// mentioned is a name in a description.
var mentioned = regexp.MustCompile("`[A-Za-z]+")

func (r renamer) text(description string) string {
	return mentioned.ReplaceAllStringFunc(description, func(found string) string { return "`" + r.name(found[1:]) })
}

func (r renamer) listed(names []string) []string {
	renamed := make([]string, len(names))
	for i, name := range names {
		renamed[i] = r.name(name)
	}
	return renamed
}

func (r renamer) typed(t *ast.Type) *ast.Type {
	if t == nil {
		return nil
	}
	renamed := *t
	renamed.NamedType, renamed.Elem = r.name(t.NamedType), r.typed(t.Elem)
	return &renamed
}

func (r renamer) definition(d *ast.Definition) *ast.Definition {
	renamed := *d
	renamed.Name, renamed.Description = r.name(d.Name), r.text(d.Description)
	renamed.Interfaces, renamed.Types = r.listed(d.Interfaces), r.listed(d.Types)
	renamed.Fields = make(ast.FieldList, len(d.Fields))
	for i, field := range d.Fields {
		f := *field
		f.Type, f.Description = r.typed(f.Type), r.text(f.Description)
		f.Arguments = make(ast.ArgumentDefinitionList, len(field.Arguments))
		for k, argument := range field.Arguments {
			a := *argument
			a.Type, a.Description = r.typed(a.Type), r.text(a.Description)
			f.Arguments[k] = &a
		}
		renamed.Fields[i] = &f
	}
	renamed.EnumValues = make(ast.EnumValueList, len(d.EnumValues))
	for i, value := range d.EnumValues {
		v := *value
		v.Description = r.text(v.Description)
		renamed.EnumValues[i] = &v
	}
	return &renamed
}

// schema is the schema with the names that are served.
func (r renamer) schema(s *ast.Schema) *ast.Schema {
	renamed := *s
	byOwn := make(map[*ast.Definition]*ast.Definition, len(s.Types))
	renamed.Types = make(map[string]*ast.Definition, len(s.Types))
	for _, d := range s.Types {
		byOwn[d] = r.definition(d)
		renamed.Types[byOwn[d].Name] = byOwn[d]
	}
	lists := func(own map[string][]*ast.Definition) map[string][]*ast.Definition {
		served := make(map[string][]*ast.Definition, len(own))
		for name, list := range own {
			for _, d := range list {
				if d = byOwn[d]; d != nil {
					served[r.name(name)] = append(served[r.name(name)], d)
				}
			}
		}
		return served
	}
	renamed.PossibleTypes, renamed.Implements = lists(s.PossibleTypes), lists(s.Implements)
	renamed.Query, renamed.Mutation, renamed.Subscription = byOwn[s.Query], byOwn[s.Mutation], byOwn[s.Subscription]
	return &renamed
}

// inverse are the own names by those that are served.
func (r renamer) inverse() map[string]string {
	own := make(map[string]string, len(r))
	for name, served := range maps.All(r) {
		own[served] = name
	}
	return own
}
