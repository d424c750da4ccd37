package persisted

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"
)

const (
	// reloadEvery is the time between two looks at the manifests. It is asked of the file
	// system, as not every volume tells of a change.
	reloadEvery = 2 * time.Second
	// maxNames bounds the names that tell operations apart: those beyond it are otherName.
	maxNames  = 1000
	otherName = "other"
)

// List is the operator's list of documents, of one manifest or of a folder of them. It is
// safe for concurrent use.
type List struct {
	path      string
	manifests map[string]*manifest // by file; for load alone
	current   atomic.Pointer[snapshot]
}

// snapshot is a list at one time. Nobody changes it.
type snapshot struct {
	documents  map[string]document // by id, and by the text's SHA-256
	generation uint64
}

// ReadList reads the list. A text is found by its SHA-256 as well as by its id.
func ReadList(path string) (*List, error) {
	l := &List{path: path}
	_, err := l.load()
	if err != nil {
		return nil, err
	}
	return l, nil
}

// Watch reads the list again when it has changed, until ctx is done. What cannot be read
// keeps what it held before, and the logger hears of it once.
func (l *List) Watch(ctx context.Context, logger *slog.Logger) {
	ticker := time.NewTicker(reloadEvery)
	defer ticker.Stop()
	last := ""
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		changed, err := l.load()
		switch {
		case err == nil:
			last = ""
		case err.Error() != last:
			last = err.Error()
			logger.ErrorContext(ctx, "trusted documents are kept as they were", "error", err)
		}
		if changed {
			logger.InfoContext(ctx, "trusted documents read again", "documents", len(l.current.Load().documents))
		}
	}
}

// load makes what is in the files the list. A file that cannot be read, or contradicts
// others, leaves its part, or all, as it was.
func (l *List) load() (changed bool, err error) {
	found, err := files(l.path)
	if err != nil {
		return false, err
	}
	read := make(map[string]*manifest, len(found))
	var failures []error
	bytes := int64(0)
	for _, file := range found {
		m, news := l.manifests[file].refresh(file)
		if m.failure != nil {
			failures = append(failures, m.failure)
		}
		read[file], changed = m, changed || news
		bytes += m.signature.size
	}
	changed = changed || len(read) != len(l.manifests)
	switch {
	case len(failures) > 0 && l.manifests == nil:
		return false, failures[0]
	case bytes > maxManifestBytes:
		return false, fmt.Errorf("%s is larger than %d MiB", l.path, maxManifestBytes>>20)
	}
	l.manifests = read
	if !changed {
		return false, errors.Join(failures...)
	}
	documents, err := join(read)
	if err != nil {
		return false, err
	}
	next := &snapshot{documents: documents, generation: 1}
	if before := l.current.Load(); before != nil {
		next.generation = before.generation + 1
	}
	l.current.Store(next)
	return true, errors.Join(failures...)
}

// join makes one list of the manifests. No id may mean two texts.
func join(manifests map[string]*manifest) (map[string]document, error) {
	all, names := map[string]document{}, map[string]bool{}
	for file, m := range manifests {
		for id, d := range m.documents {
			if other, known := all[id]; known && other.text != d.text {
				return nil, fmt.Errorf("%s: the id %.80q is that of another document as well", file, id)
			}
			if names[d.name] = true; len(names) > maxNames {
				delete(names, d.name)
				d.name = otherName
			}
			all[id] = d
			if _, named := all[hash(d.text)]; !named {
				all[hash(d.text)] = d
			}
		}
	}
	return all, nil
}

// Generation changes with the list.
func (l *List) Generation() uint64 { return l.current.Load().generation }

// find takes an id with the prefix of what it is as well, such as sha256:HEX.
func (s *snapshot) find(id string) (document, bool) {
	d, known := s.documents[id]
	if !known {
		d, known = s.documents[strings.TrimPrefix(id, hashPrefix)]
	}
	return d, known
}
