package logging_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"jobgraph/graph/serve/logging"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// never is an interval whose end no test sees.
const never = time.Hour

// randomText has all that the formats quote or escape.
func randomText(random *rand.Rand) string {
	alphabet := []string{"a", "Z", "0", "_", " ", "=", `"`, `\`, "\n", "\t", "\x00", "\x7f", "\xff", "<", "&", "ü", "世", "\u2028", "\u00a0", "�"}
	text := ""
	for range random.IntN(6) {
		text += alphabet[random.IntN(len(alphabet))]
	}
	return text
}

func randomAttr(random *rand.Rand, depth int) slog.Attr {
	key := randomText(random)
	values := []slog.Value{
		slog.StringValue(randomText(random)), slog.IntValue(random.Int() - random.Int()), slog.BoolValue(true),
		slog.Float64Value(random.NormFloat64()), slog.DurationValue(time.Duration(random.Int64())),
		slog.TimeValue(time.Unix(random.Int64N(1<<40), 0)), slog.AnyValue(errors.New(randomText(random))),
		slog.AnyValue([]byte(randomText(random))), slog.AnyValue(nil), slog.GroupValue(),
	}
	if depth > 0 {
		values = append(values, slog.GroupValue(randomAttr(random, depth-1), randomAttr(random, depth-1)))
	}
	return slog.Attr{Key: key, Value: values[random.IntN(len(values))]}
}

func TestLogging_TheTextIsSlogsOwn(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	for _, json := range []bool{false, true} {
		var want, got bytes.Buffer
		var own slog.Handler = slog.NewTextHandler(&want, &slog.HandlerOptions{Level: slog.LevelDebug})
		if json {
			own = slog.NewJSONHandler(&want, &slog.HandlerOptions{Level: slog.LevelDebug})
		}
		logger, buffer := logging.New(&got, logging.Options{JSON: json, Level: slog.LevelDebug})
		for range 2000 {
			a, b := own, logger.Handler()
			for range random.IntN(3) {
				if random.IntN(2) == 0 {
					name := "group" + randomText(random)
					a, b = a.WithGroup(name), b.WithGroup(name)
				} else {
					attrs := []slog.Attr{randomAttr(random, 1)}
					a, b = a.WithAttrs(attrs), b.WithAttrs(attrs)
				}
			}
			level := []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[random.IntN(4)]
			record := slog.NewRecord(time.Now(), level, randomText(random), 0)
			for range random.IntN(8) {
				record.AddAttrs(randomAttr(random, 2))
			}
			require.NoError(t, a.Handle(t.Context(), record))
			require.NoError(t, b.Handle(t.Context(), record))
		}
		require.NoError(t, buffer.Close())
		require.Equal(t, want.String(), got.String(), "seed %d", seed)
	}
}

func TestLogging_TheLevel(t *testing.T) {
	logger, buffer := logging.New(io.Discard, logging.Options{Level: slog.LevelWarn})
	assert.False(t, logger.Enabled(context.Background(), slog.LevelInfo))
	assert.True(t, logger.Enabled(context.Background(), slog.LevelWarn))
	require.NoError(t, buffer.Close())
}

func TestLogging_AWarningIsWrittenAtOnceWithWhatCameBefore(t *testing.T) {
	writes := make(writes, 10)
	logger, buffer := logging.New(writes, logging.Options{FlushInterval: never})
	logger.Info("first")
	assert.Contains(t, <-writes, "first", "after a quiet time a line is written at once")
	logger.Info("second")
	logger.Info("third")
	logger.Warn("fourth")
	for all := ""; ; {
		all += <-writes
		if bytes.Contains([]byte(all), []byte("fourth")) {
			assert.Regexp(t, `(?s)second.*third.*fourth`, all)
			break
		}
	}
	require.NoError(t, buffer.Close())
	assert.Empty(t, writes)
}
