package transport_test

import (
	"context"
	"strings"
	"testing"

	"github.com/coder/websocket"
	"github.com/stretchr/testify/assert"

	"jobgraph/graph/transport"
)

func TestWebSocket_MessagesAreBounded(t *testing.T) {
	inRoom(t, transport.ConnectionOptions{}, untilDone, func(t *testing.T, r *room) {
		p := r.open(alice)
		ping := func(size int) string { return `{"type": "ping"}` + strings.Repeat(" ", size-len(`{"type": "ping"}`)) }
		p.send(ping(64 << 10))
		assert.Equal(t, `{"type":"pong"}`, p.receive())
		go func() { _ = p.ws.Write(context.Background(), websocket.MessageText, []byte(ping(64<<10+1))) }()
		_, answer, err := p.ws.Read(t.Context())
		assert.Equal(t, websocket.StatusMessageTooBig, websocket.CloseStatus(err), "%s", answer)
	})
}
