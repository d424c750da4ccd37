package admission

import "github.com/vektah/gqlparser/v2/ast"

// A stats is what one query text asks for, whatever its variables are.
type stats struct {
	aliases    int
	directives int
	// longestName is in bytes: an answer has a field's alias once for each entry.
	longestName int
	// introspects and asksSDL say whether the text asks for the schema.
	introspects, asksSDL bool
	// nodes is about how many nodes the document's tree has.
	nodes      int
	operations map[*ast.OperationDefinition]*operationStats
}

// An operationStats is what one of the text's operations asks for.
type operationStats struct {
	depth                                   int
	introspectionDepth, introspectionFields int
	roots                                   []root
}

// A root is one field at the top of an operation.
type root struct {
	name string
	// list is the argument that says how many entries the field answers with; nil: one.
	list *ast.Value
	// page says that the field answers with a page, and first is how many jobs it has; nil:
	// as many as the schema says.
	page  bool
	first *ast.Value
	// fields is what one entry answers with, weight what it costs, and once what a page costs
	// besides, however long it is.
	fields, weight, once int
}

// selectionStats is what a selection set holds, its fragments included.
type selectionStats struct{ depth, fields, weight, once int }

// walker walks a document. Each fragment is measured once and remembered: a query
// of fragments that spread each other twice would take for ever otherwise.
type walker struct {
	sizes     sizes
	fragments map[string]*ast.FragmentDefinition
	measured  map[string]selectionStats
	total     stats
}

// measureDocument reads a document that is parsed but not validated: fragments may
// be missing or go round in circles, which validation says better than a limit does.
func measureDocument(document *ast.QueryDocument, sizes sizes) *stats {
	w := &walker{
		sizes:     sizes,
		fragments: make(map[string]*ast.FragmentDefinition, len(document.Fragments)),
		measured:  make(map[string]selectionStats, len(document.Fragments)),
	}
	for _, fragment := range document.Fragments {
		if _, known := w.fragments[fragment.Name]; !known {
			w.fragments[fragment.Name] = fragment
		}
	}
	w.total.operations = make(map[*ast.OperationDefinition]*operationStats, len(document.Operations))
	for _, fragment := range document.Fragments {
		w.name(fragment.Name)
		w.name(fragment.TypeCondition)
		w.count(fragment.SelectionSet, fragment.Directives)
	}
	for _, operation := range document.Operations {
		w.count(operation.SelectionSet, operation.Directives)
		for _, variable := range operation.VariableDefinitions {
			w.total.directives += len(variable.Directives)
			w.name(variable.Variable)
			w.name(variable.Type.Name())
			w.value(variable.DefaultValue)
		}
		measured := &operationStats{}
		w.roots(measured, operation.SelectionSet, map[string]int{}, map[string]bool{})
		w.total.operations[operation] = measured
	}
	return &w.total
}

// count counts what is written in a text, each place once.
func (w *walker) count(set ast.SelectionSet, directives ast.DirectiveList) {
	w.total.directives += len(directives)
	w.total.nodes += len(set) + len(directives)
	for _, directive := range directives {
		w.name(directive.Name)
	}
	var seen map[string]bool
	if len(set) > 1 {
		seen = make(map[string]bool, len(set))
	}
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			w.name(selection.Alias)
			w.name(selection.Name)
			// A field that is asked again costs validation as much as an alias does.
			if selection.Alias != selection.Name || seen[selection.Alias] {
				w.total.aliases++
			} else if seen != nil {
				seen[selection.Alias] = true
			}
			switch selection.Name {
			case "__schema", "__type":
				w.total.introspects = true
			case "_service":
				w.total.asksSDL = true
			}
			for _, argument := range selection.Arguments {
				w.name(argument.Name)
				w.value(argument.Value)
			}
			w.count(selection.SelectionSet, selection.Directives)
		case *ast.InlineFragment:
			w.name(selection.TypeCondition)
			w.count(selection.SelectionSet, selection.Directives)
		case *ast.FragmentSpread:
			w.name(selection.Name)
			w.count(nil, selection.Directives)
		}
	}
}

func (w *walker) name(name string) { w.total.longestName = max(w.total.longestName, len(name)) }

func (w *walker) value(value *ast.Value) {
	if value == nil {
		return
	}
	w.total.nodes++
	if value.Kind == ast.EnumValue || value.Kind == ast.Variable {
		w.name(value.Raw)
	}
	for _, child := range value.Children {
		w.name(child.Name)
		w.value(child.Value)
	}
}

// roots collects an operation's top as execution does: through fragments, each
// fragment once, fields with the same key together.
func (w *walker) roots(into *operationStats, set ast.SelectionSet, at map[string]int, visited map[string]bool) {
	for _, selection := range set {
		switch selection := selection.(type) {
		case *ast.Field:
			w.root(into, selection, at)
		case *ast.InlineFragment:
			w.roots(into, selection.SelectionSet, at, visited)
		case *ast.FragmentSpread:
			fragment := w.fragments[selection.Name]
			if fragment != nil && !visited[selection.Name] {
				visited[selection.Name] = true
				w.roots(into, fragment.SelectionSet, at, visited)
			}
		}
	}
}

func (w *walker) root(into *operationStats, field *ast.Field, at map[string]int) {
	below := w.selection(field.SelectionSet)
	if field.Name == "__schema" || field.Name == "__type" {
		into.introspectionFields = addSat(into.introspectionFields, below.fields)
		into.introspectionDepth = max(into.introspectionDepth, addSat(below.depth, 1))
	} else {
		into.depth = max(into.depth, addSat(below.depth, 1))
	}
	if i, known := at[field.Alias]; known {
		into.roots[i].fields = addSat(into.roots[i].fields, below.fields)
		into.roots[i].weight = addSat(into.roots[i].weight, below.weight)
		into.roots[i].once = addSat(into.roots[i].once, below.once)
		return
	}
	at[field.Alias] = len(into.roots)
	measured := root{
		name: field.Name, fields: below.fields, once: below.once,
		weight: addSat(entryWeight(field.Name, len(field.SelectionSet) > 0), below.weight),
	}
	if name, ok := slicingArguments[field.Name]; ok {
		if argument := field.Arguments.ForName(name); argument != nil {
			measured.list = argument.Value
		}
	}
	if measured.page = field.Name == pageField; measured.page {
		if argument := field.Arguments.ForName("first"); argument != nil {
			measured.first = argument.Value
		}
	}
	into.roots = append(into.roots, measured)
}

func (w *walker) selection(set ast.SelectionSet) selectionStats {
	var all selectionStats
	for _, selection := range set {
		var one selectionStats
		switch selection := selection.(type) {
		case *ast.Field:
			one = w.selection(selection.SelectionSet)
			one.depth = addSat(one.depth, 1)
			one.fields = addSat(keyWeight(selection.Alias), mulSat(w.sizes.of(selection.Name), one.fields))
			one.weight = mulSat(w.sizes.of(selection.Name), addSat(entryWeight(selection.Name, len(selection.SelectionSet) > 0), one.weight))
			if selection.Name == pageInfoField {
				one.weight, one.once = 0, one.weight
			}
		case *ast.InlineFragment:
			one = w.selection(selection.SelectionSet)
		case *ast.FragmentSpread:
			one = w.fragment(selection.Name)
		}
		all.depth = max(all.depth, one.depth)
		all.fields = addSat(all.fields, one.fields)
		all.weight = addSat(all.weight, one.weight)
		all.once = addSat(all.once, one.once)
	}
	return all
}

func (w *walker) fragment(name string) selectionStats {
	if known, ok := w.measured[name]; ok {
		return known
	}
	fragment := w.fragments[name]
	if fragment == nil {
		return selectionStats{}
	}
	w.measured[name] = selectionStats{} // a circle ends here
	measured := w.selection(fragment.SelectionSet)
	w.measured[name] = measured
	return measured
}
