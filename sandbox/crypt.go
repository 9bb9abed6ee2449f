package sandbox

import (
	"bufio"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
)

// macSize is how much of the HMAC is appended to an encrypted file.
const macSize = 10

// mediaKeys are derived from a message's media key, by type: the same key never encrypts an image and a document
// alike.
type mediaKeys struct {
	iv, cipher, mac []byte
}

func deriveKeys(kind, mediaKey string) (mediaKeys, error) {
	key, err := base64.StdEncoding.DecodeString(mediaKey)
	// The page makes keys of 32 bytes. HKDF takes others as well, and whatsapp-web.js gives stickers 24.
	if err != nil || len(key) < 16 || len(key) > 32 {
		return mediaKeys{}, errors.New("media_key is not 32 bytes in base64, nor 16 at least")
	}
	return expandKeys(kind, key)
}

func expandKeys(kind string, key []byte) (mediaKeys, error) {
	info, ok := map[string]string{
		"image": "WhatsApp Image Keys", "sticker": "WhatsApp Image Keys",
		"video": "WhatsApp Video Keys", "gif": "WhatsApp Video Keys", "ptv": "WhatsApp Video Keys",
		"audio": "WhatsApp Audio Keys", "ptt": "WhatsApp Audio Keys",
		"document": "WhatsApp Document Keys",
	}[kind]
	if !ok {
		return mediaKeys{}, fmt.Errorf("messages of type %q have no file", kind)
	}
	b, err := hkdf.Key(sha256.New, key, nil, info, 112)
	if err != nil {
		return mediaKeys{}, fmt.Errorf("derive media keys: %w", err)
	}
	return mediaKeys{iv: b[:16], cipher: b[16:48], mac: b[48:80]}, nil
}

// decryptFile decrypts the size bytes of r to w in one pass and returns how many plain bytes there were; that they
// have the message's file_sha256 is checked. The MAC, the padding and the hash are known at the end only: on an error
// w holds bytes not to be used.
func decryptFile(w io.Writer, r io.Reader, size int64, kind string, m WireMedia) (int64, error) {
	keys, err := deriveKeys(kind, m.MediaKey)
	if err != nil {
		return 0, err
	}
	size -= macSize
	if size < aes.BlockSize || size%aes.BlockSize != 0 {
		return 0, errors.New("the file is not AES-CBC and a MAC: wrong length")
	}
	block, err := aes.NewCipher(keys.cipher)
	if err != nil {
		return 0, fmt.Errorf("media cipher: %w", err)
	}
	mac := hmac.New(sha256.New, keys.mac)
	mac.Write(keys.iv)
	plain := sha256.New()
	n, err := decryptBlocks(io.MultiWriter(w, plain), io.TeeReader(io.LimitReader(r, size), mac), size, cipher.NewCBCDecrypter(block, keys.iv))
	if err != nil {
		return 0, err
	}
	var tail [macSize]byte
	if _, err := io.ReadFull(r, tail[:]); err != nil {
		return 0, fmt.Errorf("read MAC: %w", err)
	}
	if !hmac.Equal(tail[:], mac.Sum(nil)[:macSize]) {
		return 0, errors.New("the file's MAC is wrong")
	}
	want, err := base64.StdEncoding.DecodeString(m.FileSHA256)
	if err != nil || subtle.ConstantTimeCompare(want, plain.Sum(nil)) != 1 {
		return 0, errors.New("file_sha256 is not that of the decrypted file")
	}
	return n, nil
}

func decryptBlocks(w io.Writer, r io.Reader, size int64, mode cipher.BlockMode) (int64, error) {
	buf := make([]byte, 64<<10)
	var n int64
	for size > 0 {
		b := buf[:min(int64(len(buf)), size)]
		if _, err := io.ReadFull(r, b); err != nil {
			return 0, fmt.Errorf("read file: %w", err)
		}
		mode.CryptBlocks(b, b)
		if size -= int64(len(b)); size == 0 {
			pad := int(b[len(b)-1])
			if pad < 1 || pad > aes.BlockSize {
				return 0, errors.New("the file's padding is wrong: the key does not fit")
			}
			b = b[:len(b)-pad]
		}
		if _, err := w.Write(b); err != nil {
			return 0, fmt.Errorf("write file: %w", err)
		}
		n += int64(len(b))
	}
	return n, nil
}

// sealer encrypts what is read from plain, as a phone does before it uploads. After io.EOF it knows the hashes.
type sealer struct {
	plain io.Reader
	mode  cipher.BlockMode
	mac   hash.Hash
	sum   hash.Hash // of the plain bytes
	size  int64
	out   []byte // encrypted, not yet read
	done  bool
}

func newSealer(plain io.Reader, keys mediaKeys) (*sealer, error) {
	block, err := aes.NewCipher(keys.cipher)
	if err != nil {
		return nil, fmt.Errorf("media cipher: %w", err)
	}
	s := &sealer{plain: bufio.NewReaderSize(plain, 64<<10), mode: cipher.NewCBCEncrypter(block, keys.iv), mac: hmac.New(sha256.New, keys.mac), sum: sha256.New()}
	s.mac.Write(keys.iv)
	return s, nil
}

func (s *sealer) Read(b []byte) (int, error) {
	if len(s.out) == 0 {
		if s.done {
			return 0, io.EOF
		}
		if err := s.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(b, s.out)
	s.out = s.out[n:]
	return n, nil
}

// fill encrypts the next piece; the last one gets its padding and the MAC.
func (s *sealer) fill() error {
	b := make([]byte, 64<<10, 64<<10+aes.BlockSize+macSize)
	n, err := io.ReadFull(s.plain, b)
	s.done = errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	if err != nil && !s.done {
		return err
	}
	s.sum.Write(b[:n])
	s.size += int64(n)
	b = b[:n]
	if s.done {
		pad := aes.BlockSize - n%aes.BlockSize
		for range pad {
			b = append(b, byte(pad)) // #nosec G115 -- at most 16
		}
	}
	s.mode.CryptBlocks(b, b)
	s.mac.Write(b)
	if s.done {
		b = append(b, s.mac.Sum(nil)[:macSize]...)
	}
	s.out = b
	return nil
}
