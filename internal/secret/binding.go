package secret

import "encoding/binary"

// A Binding says where a sealed value belongs. It is not secret and not stored
// with the value: who opens the value must know it, so that a ciphertext that
// was copied to another record, column or version, or whose provider was given
// another address, does not open.
type Binding struct {
	Record    string // ID of the record
	Column    string
	Version   string // counts up each time the value is replaced
	Origin    string // scheme, host and port that the value is sent to
	Workspace string
}

// associatedData encodes the binding. Each part stands behind its length:
// without it "ab"+"c" and "a"+"bc" would be one binding.
func (b Binding) associatedData() []byte {
	return joined("bucketgate sealed value 1", b.Record, b.Column, b.Version, b.Origin, b.Workspace)
}

func joined(parts ...string) []byte {
	var data []byte
	for _, part := range parts {
		data = binary.BigEndian.AppendUint64(data, uint64(len(part)))
		data = append(data, part...)
	}
	return data
}
