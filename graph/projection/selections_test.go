package projection_test

import (
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// selections makes random valid queries.
type selections struct {
	plain bool // without @skip and @include
	*rand.Rand
	schema    *ast.Schema
	asked     map[string]bool // Type.field
	fragments []string
}

func (s *selections) query() (string, map[string]any) {
	s.fragments = nil
	ids := make([]string, s.IntN(5))
	for i := range ids {
		ids[i] = []string{"bare", "full", "failed", "limited", "random", "another"}[s.IntN(6)]
	}
	representations := make([]any, len(ids))
	for i, id := range ids {
		representations[i] = map[string]any{"__typename": "Job", "id": id}
	}
	fields := []string{
		"job(ids: $ids) " + s.union("JobResult", "Job", "ApiError"),
		`jobById(id: "full") ` + s.union("JobResult", "Job", "ApiError"),
		"_entities(representations: $r) " + s.union("_Entity", "Job"),
	}
	variables := map[string]any{"ids": ids, "r": representations}
	if s.plain {
		return "query ($ids: [ID!]!, $r: [_Any!]!) { " + strings.Join(fields, " ") + " }" + strings.Join(s.fragments, ""), variables
	}
	variables["no"] = false
	return "query ($ids: [ID!]!, $r: [_Any!]!, $yes: Boolean = true, $no: Boolean!) { " + strings.Join(fields, " ") +
		" __typename @include(if: $yes) @skip(if: $no) }" + strings.Join(s.fragments, ""), variables
}

// union selects of one or several of a union's members, in one or several places.
func (s *selections) union(name string, members ...string) string {
	parts := []string{"__typename" + s.condition()}
	for range 1 + s.IntN(3) {
		member := members[s.IntN(len(members))]
		parts = append(parts, s.fragment(member, s.object(member)))
	}
	if s.IntN(3) == 0 {
		parts = append(parts, s.fragment(name, "{ "+s.fragment(members[0], s.object(members[0]))+" }"))
	}
	return "{ " + strings.Join(parts, " ") + " }"
}

func (s *selections) fragment(on, set string) string {
	switch s.IntN(3) {
	case 0:
		name := fmt.Sprintf("f%d", len(s.fragments))
		s.fragments = append(s.fragments, " fragment "+name+" on "+on+" "+set)
		return "..." + name + s.condition()
	default:
		return "... on " + on + s.condition() + " " + set
	}
}

// object selects some fields. A field that is asked again has the same name for the
// same thing, so that both can be merged.
func (s *selections) object(name string) string {
	parts := []string{"__typename"}
	for range 1 + s.IntN(6) {
		fields := s.schema.Types[name].Fields
		field := fields[s.IntN(len(fields))]
		s.asked[name+"."+field.Name] = true
		part := field.Name + s.condition()
		if s.IntN(3) == 0 {
			part = name + "_" + field.Name + ": " + part
		}
		if below := s.schema.Types[field.Type.Name()]; below.Kind == ast.Object {
			part += " " + s.object(below.Name)
		}
		parts = append(parts, part)
	}
	if s.IntN(4) == 0 {
		parts = append(parts, s.fragment(name, "{ "+parts[len(parts)-1]+" }"))
	}
	return "{ " + strings.Join(parts, " ") + " }"
}

func (s *selections) condition() string {
	if s.plain {
		return ""
	}
	return []string{"", "", "", " @include(if: $yes)", " @include(if: $no)", " @skip(if: $no)", " @skip(if: $yes)"}[s.IntN(7)]
}
