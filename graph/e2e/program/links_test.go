package program_test

import (
	"fmt"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

var (
	fence   = regexp.MustCompile("(?sm)^```.*?^```$")
	code    = regexp.MustCompile("`[^`\n]*`")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#{1,6} (.+)$`)
)

// anchors are the names that GitHub gives a page's headings.
func anchors(text string) map[string]bool {
	names, seen := map[string]bool{}, map[string]int{}
	for _, match := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		title := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(match[1], "$1")
		name := regexp.MustCompile(`[^\p{L}\p{N}_ -]`).ReplaceAllString(strings.ToLower(title), "")
		name = strings.ReplaceAll(strings.TrimSpace(name), " ", "-")
		if n := seen[name]; n > 0 {
			names[fmt.Sprintf("%s-%d", name, n)] = true
		} else {
			names[name] = true
		}
		seen[name]++
	}
	return names
}

// broken is what is wrong with the page's links to the tree; exists says which
// paths there are.
func broken(page string, texts map[string]string, exists func(string) bool) []string {
	var faults []string
	prose := code.ReplaceAllString(fence.ReplaceAllString(texts[page], ""), "")
	for _, match := range link.FindAllStringSubmatch(prose, -1) {
		target, anchor, anchored := strings.Cut(match[1], "#")
		if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
			continue
		}
		to := page
		if target != "" {
			to = path.Join(path.Dir(page), target)
		}
		switch {
		case path.IsAbs(target), strings.HasPrefix(to, "../"), !exists(to):
			faults = append(faults, match[1]+" is not in the tree")
		case anchored && !anchors(texts[to])[anchor]:
			faults = append(faults, match[1]+" names no heading")
		}
	}
	return faults
}

func TestPages_LinksLeadSomewhere(t *testing.T) {
	texts := pages(t)
	exists := func(name string) bool {
		_, err := os.Stat(path.Join(top, name))
		return err == nil
	}
	links := 0
	for page, text := range texts {
		assert.Empty(t, broken(page, texts, exists), page)
		links += len(link.FindAllString(text, -1))
	}
	assert.Greater(t, links, 10)
}

func TestPages_BrokenLinksAreFound(t *testing.T) {
	texts := map[string]string{
		"README.md": "[a](graph/P.md) [b](graph/P.md#two-words) [c](#here) [d](https://x.example/#y)\n\n## Here\n",
		"graph/P.md": "# Two `words`\n[up](../README.md#here) [gone](gone.md) [no](#nothing) [far](../../x) [abs](/README.md)\n" +
			"`[code](gone)`\n```\n# no heading\n[x](y)\n```\n# Two words\n[twice](#two-words-1) [not](#no-heading)\n",
	}
	exists := func(name string) bool { _, ok := texts[name]; return ok }
	assert.Empty(t, broken("README.md", texts, exists))
	assert.Equal(t, []string{
		"gone.md is not in the tree", "#nothing names no heading", "../../x is not in the tree",
		"/README.md is not in the tree", "#no-heading names no heading",
	}, broken("graph/P.md", texts, exists))
}

// Every page can be reached from the README.
func TestPages_AllAreLinked(t *testing.T) {
	texts := pages(t)
	reached, next := map[string]bool{"README.md": true}, []string{"README.md"}
	for len(next) > 0 {
		page := next[0]
		next = next[1:]
		for _, match := range link.FindAllStringSubmatch(texts[page], -1) {
			target, _, _ := strings.Cut(match[1], "#")
			to := path.Join(path.Dir(page), target)
			if _, ok := texts[to]; ok && !reached[to] {
				reached[to] = true
				next = append(next, to)
			}
		}
	}
	for page := range texts {
		assert.True(t, reached[page], "%s is linked by no page", page)
	}
}
