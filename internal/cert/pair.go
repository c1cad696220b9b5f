package cert

import (
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/fairlead/fairlead/internal/model"
)

// maxFile is how many bytes a certificate's or a key's file may have.
const maxFile = 1 << 20

const expired = "the certificate has expired and clients refuse it: renew it"

// Pair names the files of a certificate (PEM, the leaf first, then its chain) and of its key (PEM).
type Pair struct{ CertFile, KeyFile string }

// loaded is a pair as it was last read. It is immutable.
type loaded struct {
	Pair
	sum     [sha256.Size]byte // of both files, as last read; tells whether they changed
	good    *tls.Certificate  // the last one that could be used
	problem string            // what is wrong with the files now; "" if nothing
	since   time.Time         // of problem
}

// load reads the pair's files. What is wrong is in the answer, together with the last good certificate.
func (l *loaded) load(now time.Time) *loaded {
	next := &loaded{Pair: l.Pair, sum: l.sum, good: l.good, since: l.since}
	certificate, err := readFile(l.CertFile)
	var key []byte
	if err == nil {
		key, err = readFile(l.KeyFile)
	}
	if err == nil {
		sum := sha256.Sum256(append(append(certificate[:len(certificate):len(certificate)], 0), key...))
		if sum == l.sum && l.problem == "" {
			return l
		}
		next.sum = sum
		var pair tls.Certificate
		if pair, err = tls.X509KeyPair(certificate, key); err == nil {
			next.good, next.since = &pair, time.Time{}
			return next
		}
		err = fmt.Errorf("%s and %s are not a certificate and its key: %w", l.CertFile, l.KeyFile, err)
	}
	next.problem = err.Error()
	if l.problem == "" {
		next.since = now
	}
	return next
}

// problems returns what the operator has to know of the pair.
func (l *loaded) problems(now time.Time) []model.Problem {
	problem := model.Problem{
		Object: model.Object{Kind: model.KindCertificate, Ref: model.Ref{Name: model.Name{Name: l.CertFile}}},
		At:     l.CertFile,
	}
	var list []model.Problem
	if l.problem != "" {
		problem.Code, problem.Since = model.InvalidFile, l.since
		problem.Message = l.problem + "; its last good content is served"
		list = append(list, problem)
	}
	if ends := l.good.Leaf.NotAfter; now.After(ends) {
		problem.Code, problem.Since = model.Stale, ends
		problem.Message = expired
		list = append(list, problem)
	}
	return list
}

// readFile reads a file of bounded size.
func readFile(path string) (content []byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	content, err = io.ReadAll(io.LimitReader(file, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(content) > maxFile {
		return nil, fmt.Errorf("%s has more than %d bytes", path, maxFile)
	}
	return content, nil
}
