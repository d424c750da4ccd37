package secret_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"jobgraph/upstream/secret"
)

func TestText_AFileIsReadAgainAndTheLastGoodOneStays(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secret")
	write := func(content string) { require.NoError(t, os.WriteFile(file, []byte(content), 0o600)) }
	write("first\r\n")
	synctest.Test(t, func(t *testing.T) {
		text, err := secret.New("", file, secret.Header)
		require.NoError(t, err)
		assert.Equal(t, "first", text.Get())
		write("second")
		assert.Equal(t, "first", text.Get(), "it is not read at each use")
		time.Sleep(time.Second)
		assert.Equal(t, "second", text.Get())
		for _, wrong := range []string{"", "two\nlines", strings.Repeat("long", 2000)} {
			write(wrong)
			time.Sleep(time.Second)
			assert.Equal(t, "second", text.Get(), "%.10q", wrong)
		}
		require.NoError(t, os.Remove(file))
		time.Sleep(time.Second)
		assert.Equal(t, "second", text.Get())
	})
}

func TestNew_AnErrorRepeatsNoContent(t *testing.T) {
	const canary = " canary"
	file := filepath.Join(t.TempDir(), "secret")
	require.NoError(t, os.WriteFile(file, []byte(canary), 0o600))
	for _, c := range [][2]string{{canary, ""}, {"", file}, {"", file + ".none"}} {
		_, err := secret.New(c[0], c[1], secret.Header)
		require.Error(t, err)
		assert.NotContains(t, err.Error(), "canary")
	}
	text, err := secret.New("value", "", func(string) error { return nil })
	require.NoError(t, err)
	assert.Equal(t, "value", text.Get())
	_, err = secret.New("", filepath.Join(t.TempDir(), "none"), func(string) error { return nil })
	assert.True(t, errors.Is(err, os.ErrNotExist))
}
