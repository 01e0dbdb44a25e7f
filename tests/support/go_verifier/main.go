// A second opinion on Handoff's formats, by libraries that had no part in making them.
//
// It reads statements as JSON from standard input and answers each with what it could not verify, or with the time
// of the cosignature.
package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"

	flog "github.com/transparency-dev/formats/log"
	fnote "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Statement says that Entry stands at Index under the checkpoint New, which grew out of the checkpoint Old, and that
// its tag is that of the record key Key, whose first value is First. Without a First, the tag is not checked.
type Statement struct {
	Origin      string   `json:"origin"`
	LogKey      string   `json:"log_key"`
	CosignerKey string   `json:"cosigner_key"`
	Old         string   `json:"old"`
	New         string   `json:"new"`
	Index       int64    `json:"index"`
	Entry       string   `json:"entry"`
	Key         string   `json:"key"`
	First       string   `json:"first"`
	Inclusion   []string `json:"inclusion"`
	Consistency []string `json:"consistency"`
}

func main() {
	var statements map[string]Statement
	if err := json.NewDecoder(os.Stdin).Decode(&statements); err != nil {
		fatal(err)
	}
	answers := make(map[string]string, len(statements))
	for name, statement := range statements {
		answers[name] = judge(statement)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		fatal(err)
	}
}

func judge(s Statement) string {
	old, err := head(s, s.Old)
	if err != nil {
		return "checkpoint"
	}
	grown, err := head(s, s.New)
	if err != nil {
		return "checkpoint"
	}
	cosigned, err := cosignedAt(s)
	if err != nil {
		return "cosignature"
	}
	if s.First != "" && !tagged(s) {
		return "tag"
	}
	if !included(s, grown) {
		return "inclusion"
	}
	if !consistent(s, old, grown) {
		return "consistency"
	}
	return fmt.Sprintf("good at %d", cosigned)
}

func head(s Statement, signed string) (*flog.Checkpoint, error) {
	key, err := note.NewVerifier(s.LogKey)
	if err != nil {
		return nil, err
	}
	checkpoint, rest, _, err := flog.ParseCheckpoint([]byte(signed), s.Origin, key)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("a checkpoint has three lines")
	}
	return checkpoint, err
}

func cosignedAt(s Statement) (int64, error) {
	key, err := fnote.NewVerifierForCosignatureV1(s.CosignerKey)
	if err != nil {
		return 0, err
	}
	opened, err := note.Open([]byte(s.New), note.VerifierList(key))
	if err != nil {
		return 0, err
	}
	at, err := fnote.CoSigV1Timestamp(opened.Sigs[0])
	return at.Unix(), err
}

// The tag is the 32 bytes after mark, partition, offset, append time and record hash.
func tagged(s Statement) bool {
	entry, err := base64.StdEncoding.DecodeString(s.Entry)
	key, keyErr := base64.StdEncoding.DecodeString(s.Key)
	first, firstErr := base64.StdEncoding.DecodeString(s.First)
	if err != nil || keyErr != nil || firstErr != nil || len(entry) != 141 {
		return false
	}
	salt := sha256.Sum256(first)
	tag := sha256.Sum256(append(append([]byte("handoff/tag/v2\n"), salt[:]...), key...))
	return bytes.Equal(entry[69:101], tag[:])
}

func included(s Statement, grown *flog.Checkpoint) bool {
	entry, err := base64.StdEncoding.DecodeString(s.Entry)
	proof, fine := hashes(s.Inclusion)
	leaf := tlog.RecordHash(entry)
	return err == nil && fine && tlog.CheckRecord(proof, int64(grown.Size), tlog.Hash(grown.Hash), s.Index, leaf) == nil
}

func consistent(s Statement, old, grown *flog.Checkpoint) bool {
	proof, fine := hashes(s.Consistency)
	return fine && tlog.CheckTree(
		proof, int64(grown.Size), tlog.Hash(grown.Hash), int64(old.Size), tlog.Hash(old.Hash)) == nil
}

func hashes(encoded []string) ([]tlog.Hash, bool) {
	decoded := make([]tlog.Hash, 0, len(encoded))
	for _, text := range encoded {
		raw, err := base64.StdEncoding.DecodeString(text)
		if err != nil || len(raw) != tlog.HashSize {
			return nil, false
		}
		decoded = append(decoded, tlog.Hash(raw))
	}
	return decoded, true
}

func fatal(err error) {
	log.Fatal(err)
}
