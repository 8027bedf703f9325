package main

import (
	"encoding/json"
	"fmt"
	"time"
)

// An era is one of the two ways in which MCP is spoken: with a handshake, or
// with all that it would say in every request.
type era string

const (
	legacy era = "2025-06-18"
	modern era = "2026-07-28"
)

var clientInfo = map[string]string{"name": "bench", "version": "1"}

// params are a request's parameters.
type params map[string]any

func (s *session) line(method string, p params) ([]byte, error) {
	if s.era == modern {
		p["_meta"] = map[string]any{
			"io.modelcontextprotocol/protocolVersion":    modern,
			"io.modelcontextprotocol/clientInfo":         clientInfo,
			"io.modelcontextprotocol/clientCapabilities": map[string]any{},
		}
	}
	s.id++
	encoded, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "id": s.id, "method": method, "params": p})
	if err != nil {
		return nil, fmt.Errorf("encoding %s: %w", method, err)
	}
	return append(encoded, '\n'), nil
}

// ask returns the result of one request, and how long it took.
func (s *session) ask(method string, p params) (json.RawMessage, time.Duration, error) {
	line, err := s.line(method, p)
	if err != nil {
		return nil, 0, err
	}
	raw, took, err := s.exchange(line)
	if err != nil {
		return nil, 0, err
	}
	var answer struct {
		ID     int
		Result json.RawMessage
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.ID != s.id || answer.Result == nil {
		return nil, 0, fmt.Errorf("%s was answered with %.300s", method, raw)
	}
	return answer.Result, took, nil
}

// greet says what a client says first.
func (s *session) greet() error {
	if s.era == modern {
		_, _, err := s.ask("server/discover", params{})
		return err
	}
	_, _, err := s.ask("initialize", params{"protocolVersion": legacy, "capabilities": params{}, "clientInfo": clientInfo})
	if err != nil {
		return err
	}
	return s.send([]byte(`{"jsonrpc":"2.0","method":"notifications/initialized"}` + "\n"))
}

// A toolAnswer is what a tool said.
type toolAnswer struct {
	StructuredContent json.RawMessage
	IsError           bool
	took              time.Duration
}

// call calls a tool. One that answers with an error fails.
func (s *session) call(tool string, arguments params) (toolAnswer, error) {
	result, took, err := s.ask("tools/call", params{"name": tool, "arguments": arguments})
	if err != nil {
		return toolAnswer{}, err
	}
	answer := toolAnswer{took: took}
	if err := json.Unmarshal(result, &answer); err != nil || answer.IsError {
		return toolAnswer{}, fmt.Errorf("%s answered %.300s", tool, result)
	}
	return answer, nil
}

// timing returns a function that calls a tool and says how long it took.
func (s *session) timing(tool string, arguments params) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		answer, err := s.call(tool, arguments)
		return answer.took, err
	}
}
