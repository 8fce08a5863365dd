// Checks what eunoe-evidence wrote with golang.org/x/mod/sumdb, and writes a checkpoint for it to check.
//
// It takes a folder of files, prints what it checked, and fails on the first thing that is not right. With the word "proof"
// behind the folder, it looks at one proof and its checkpoint only. Only cosignatures
// are checked by code of its own, because sumdb's note package leaves signature types other than 1 to its callers.
package main

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosigner is a verifier of cosignatures (c2sp.org/tlog-cosignature, type 0x04).
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 72 {
		return false
	}
	time := binary.BigEndian.Uint64(sig)
	return ed25519.Verify(c.key, []byte(fmt.Sprintf("cosignature/v1\ntime %d\n%s", time, msg)), sig[8:])
}

func newCosigner(vkey string) *cosigner {
	parts := strings.SplitN(vkey, "+", 3)
	hash, err := strconv.ParseUint(parts[1], 16, 32)
	check(err)
	key, err := base64.StdEncoding.DecodeString(parts[2])
	check(err)
	if key[0] != 4 {
		log.Fatalf("%s is not a cosigner", vkey)
	}
	return &cosigner{parts[0], uint32(hash), key[1:]}
}

// tiles reads tiles of height 8 from the folder, under the paths of c2sp.org/tlog-tiles.
type tiles string

func (t tiles) Height() int                               { return 8 }
func (t tiles) SaveTiles(tiles []tlog.Tile, data [][]byte) {}

func (t tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		// sumdb puts the height into the path.
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(string(t), path))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func main() {
	folder := os.Args[1]
	read := func(name string) string {
		bytes, err := os.ReadFile(filepath.Join(folder, name))
		check(err)
		return string(bytes)
	}

	verifier, err := note.NewVerifier(strings.TrimSpace(read("log.vkey")))
	check(err)
	verifiers := []note.Verifier{verifier}
	for _, vkey := range strings.Fields(read("cosigners")) {
		verifiers = append(verifiers, newCosigner(vkey))
	}
	opened, err := note.Open([]byte(read("checkpoint")), note.VerifierList(verifiers...))
	check(err)
	if len(opened.UnverifiedSigs) > 0 {
		log.Fatalf("%d signatures of unknown keys", len(opened.UnverifiedSigs))
	}
	tree := parse(opened.Text)
	fmt.Printf("checkpoint of %d leaves, %d signatures\n", tree.N, len(opened.Sigs))

	// The proof: a header, the index and hashes, an empty line, the checkpoint.
	head, rest, _ := strings.Cut(read("proof"), "\n\n")
	if rest != read("checkpoint") {
		log.Fatal("the proof has another checkpoint")
	}
	lines := strings.Split(head, "\n")
	if lines[0] != "c2sp.org/tlog-proof@v1" {
		log.Fatal("the proof's header")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	check(err)
	leaf := tlog.RecordHash([]byte(read("leaf")))
	check(tlog.CheckRecord(hashes(lines[2:]), tree.N, tree.Hash, index, leaf))
	fmt.Printf("leaf %d is in the tree\n", index)
	if len(os.Args) > 2 && os.Args[2] == "proof" {
		fmt.Println("ok")
		return
	}

	// The request to a witness: the old size and hashes, an empty line, the checkpoint. The old root is apart.
	head, _, _ = strings.Cut(read("add-checkpoint"), "\n\n")
	lines = strings.Split(head, "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	check(err)
	oldRoot, err := tlog.ParseHash(strings.TrimSpace(read("old-root")))
	check(err)
	check(tlog.CheckTree(tlog.TreeProof(hashes(lines[1:])), tree.N, tree.Hash, old, oldRoot))
	fmt.Printf("the tree of %d leaves is its beginning\n", old)

	// Tiles. The reader of x/mod 0.7 leaves some of them unchecked (it begins behind as many tiles as the tree has
	// subtrees, which may share tiles), so the proofs that they give are checked here.
	reader := tlog.TileHashReader(tree, tiles(folder))
	for record := int64(0); record < tree.N; record++ {
		proof, err := tlog.ProveRecord(tree.N, record, reader)
		check(err)
		leaf, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, record)})
		check(err)
		check(tlog.CheckRecord(proof, tree.N, tree.Hash, record, leaf[0]))
	}
	fmt.Printf("tiles prove %d leaves\n", tree.N)
	for _, path := range strings.Fields(read("paths")) {
		tile, err := tlog.ParseTilePath(strings.Replace(path, "tile/", "tile/8/", 1))
		check(err)
		if tile.H != 8 {
			log.Fatal(path)
		}
	}

	// The other way round.
	skey, vkey, err := note.GenerateKey(zeros{}, verifier.Name())
	check(err)
	signer, err := note.NewSigner(skey)
	check(err)
	signed, err := note.Sign(&note.Note{Text: opened.Text}, signer)
	check(err)
	check(os.WriteFile(filepath.Join(folder, "go.vkey"), []byte(vkey), 0o644))
	check(os.WriteFile(filepath.Join(folder, "go.checkpoint"), signed, 0o644))
	proof, err := tlog.ProveRecord(tree.N, 0, reader)
	check(err)
	var out bytes.Buffer
	fmt.Fprintf(&out, "c2sp.org/tlog-proof@v1\nindex 0\n")
	for _, hash := range proof {
		fmt.Fprintf(&out, "%v\n", hash)
	}
	fmt.Fprintf(&out, "\n%s", signed)
	check(os.WriteFile(filepath.Join(folder, "go.proof"), out.Bytes(), 0o644))
	fmt.Println("ok")
}

// zeros is no source of randomness: the key is for this test.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 0
	}
	return len(p), nil
}

func parse(text string) tlog.Tree {
	lines := strings.Split(text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	hash, err := tlog.ParseHash(lines[2])
	check(err)
	return tlog.Tree{N: size, Hash: hash}
}

func hashes(lines []string) tlog.RecordProof {
	var hashes []tlog.Hash
	for _, line := range lines {
		hash, err := tlog.ParseHash(line)
		check(err)
		hashes = append(hashes, hash)
	}
	return hashes
}
