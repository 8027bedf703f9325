// Package server speaks the Model Context Protocol: it takes messages from a
// transport, judges their envelope, and hands tool calls to package tools.
//
// mcp-go does the protocol. What stands before it is ours: every message meets
// parseEnvelope (envelope.go) first, so that what decides about a message and
// what acts on it see the same bytes.
package server
