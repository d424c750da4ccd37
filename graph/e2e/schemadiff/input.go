package schemadiff

import "github.com/vektah/gqlparser/v2/ast"

// input is an argument, or a field of an input object.
type input struct {
	at       string
	kind     *ast.Type
	required bool
}

func (d *diff) arguments(at string, old, now ast.ArgumentDefinitionList) {
	list := func(arguments ast.ArgumentDefinitionList) []input {
		var inputs []input
		for _, a := range arguments {
			inputs = append(inputs, input{at + "(" + a.Name + ":)", a.Type, a.Type.NonNull && a.DefaultValue == nil})
		}
		return inputs
	}
	d.compare(list(old), list(now))
}

func (d *diff) inputs(old, now *ast.Definition) {
	list := func(t *ast.Definition) []input {
		var inputs []input
		for _, f := range t.Fields {
			inputs = append(inputs, input{t.Name + "." + f.Name, f.Type, f.Type.NonNull && f.DefaultValue == nil})
		}
		return inputs
	}
	d.compare(list(old), list(now))
}

// compare finds what a client that gives the old inputs can give no more, and what
// it does not give that it must.
func (d *diff) compare(old, now []input) {
	after := byPlace(now)
	for _, o := range old {
		n, ok := after[o.at]
		switch {
		case !ok:
			d.add(o.at, "is removed")
		// What goes in may be asked for less strictly.
		case !narrows(o.kind, n.kind):
			d.add(o.at, "was %s and is %s", o.kind, n.kind)
		case n.required && !o.required:
			d.add(o.at, "has no default any more")
		}
	}
	before := byPlace(old)
	for _, n := range now {
		if _, ok := before[n.at]; !ok && n.required {
			d.add(n.at, "is new and required")
		}
	}
}

func byPlace(inputs []input) map[string]input {
	places := map[string]input{}
	for _, i := range inputs {
		places[i.at] = i
	}
	return places
}

// narrows says whether each value of the type is one of the wide type too: the same
// but that it promises not to be null.
func narrows(t, wide *ast.Type) bool {
	switch {
	case wide.NonNull && !t.NonNull, (t.Elem == nil) != (wide.Elem == nil):
		return false
	case t.Elem == nil:
		return t.NamedType == wide.NamedType
	default:
		return narrows(t.Elem, wide.Elem)
	}
}
