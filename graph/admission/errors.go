package admission

import (
	"context"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/99designs/gqlgen/graphql"
)

// What one answer may hold of errors: how many, and how many bytes of text each. Errors of
// a list's entries, which are federation's references, are as many as the entries that
// failed: a null without its error is a job that does not exist to a gateway. Their
// texts have a bound together.
const (
	maxErrors        = 10
	maxErrorMessage  = 512
	maxEntryMessages = 64 << 10
)

const failuresKey = "admission.failures"

// stash hands over one failure, as gqlgen has it, and keeps all for the answer.
func stash(ctx context.Context, failures gqlerror.List) *gqlerror.Error {
	graphql.GetOperationContext(ctx).Stats.SetExtension(failuresKey, failures)
	return failures[0]
}

// boundErrors bounds the errors of a response. The last one that is shown, entries' aside,
// says how many are not.
func boundErrors(ctx context.Context, response *graphql.Response) *graphql.Response {
	if response == nil || len(response.Errors) == 0 {
		return response
	}
	if graphql.HasOperationContext(ctx) {
		stats := &graphql.GetOperationContext(ctx).Stats
		if all, ok := stats.GetExtension(failuresKey).(gqlerror.List); ok && len(response.Errors) == 1 {
			response.Errors = append(response.Errors, all[1:]...)
		}
	}
	entries, messages := 0, 0
	for _, err := range response.Errors {
		if isEntry(err.Path) {
			entries, messages = entries+1, messages+min(len(err.Message), maxErrorMessage)
		}
	}
	response.Errors = boundNumber(response.Errors, entries)
	longest := maxErrorMessage
	if messages > maxEntryMessages {
		longest = maxEntryMessages / entries
	}
	for _, err := range response.Errors {
		if isEntry(err.Path) {
			shorten(err, longest)
		} else {
			shorten(err, maxErrorMessage)
		}
	}
	return response
}

// isEntry says whether the path is that of an entry of a list.
func isEntry(path ast.Path) bool {
	if len(path) == 0 {
		return false
	}
	_, ok := path[len(path)-1].(ast.PathIndex)
	return ok
}

// boundNumber leaves out errors that are no entry's, beyond maxErrors.
func boundNumber(errors gqlerror.List, entries int) gqlerror.List {
	left := len(errors) - entries - maxErrors
	if left <= 0 {
		return errors
	}
	shown := make(gqlerror.List, 0, entries+maxErrors)
	var last *gqlerror.Error
	others := 0
	for _, err := range errors {
		if !isEntry(err.Path) {
			if others == maxErrors {
				continue
			}
			others++
			last = err
		}
		shown = append(shown, err)
	}
	if last.Extensions == nil {
		last.Extensions = map[string]any{}
	}
	last.Extensions["moreErrors"] = left
	return shown
}

// shorten bounds an error's text to so many bytes, at least those of the mark that says so.
func shorten(err *gqlerror.Error, bytes int) {
	const mark = "…"
	if len(err.Message) > bytes {
		err.Message = strings.ToValidUTF8(err.Message[:max(0, bytes-len(mark))], "") + mark
	}
}
