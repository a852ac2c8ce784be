package gateway

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"corelab/apps/gateway/settings"
)

// KafkaConfig is where the access log goes before it goes to the file.
type KafkaConfig struct {
	Brokers []string          `toml:"brokers"` // host:port
	Topic   string            `toml:"topic"`
	Buffer  int               `toml:"buffer"`  // lines on their way to Kafka, 10000; what is beyond goes to the file at once
	Timeout settings.Duration `toml:"timeout"` // until a line that is not acknowledged goes to the file, 5s
}

const (
	kafkaBuffer  = 10_000
	kafkaTimeout = 5 * time.Second
)

func (c *KafkaConfig) check(b *Builder, at string) bool {
	sound := true
	if len(c.Brokers) == 0 {
		b.Fault(at+".brokers", "there is no broker; write brokers = [\"127.0.0.1:9092\"]")
		sound = false
	}
	if c.Topic == "" {
		b.Fault(at+".topic", "there is no topic")
		sound = false
	}
	if c.Buffer < 0 {
		b.Fault(at+".buffer", "buffer must not be negative")
		sound = false
	}
	return sound
}

// kafkaLog sends lines to Kafka. What it does not take comes back.
type kafkaLog struct {
	client  *kgo.Client
	timeout time.Duration
	back    func(line []byte) // with its line end
	taken   atomic.Int64
	failed  atomic.Int64
}

func openKafka(c *KafkaConfig, back func([]byte)) (*kafkaLog, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(c.Brokers...),
		kgo.DefaultProduceTopic(c.Topic),
		kgo.AllowAutoTopicCreation(),
		kgo.MaxBufferedRecords(orInt(c.Buffer, kafkaBuffer)),
		kgo.RecordDeliveryTimeout(c.Timeout.Or(kafkaTimeout)),
		kgo.ProducerLinger(10*time.Millisecond),
		// An idempotent producer never gives a line up that it may have sent: a log takes one twice rather than not at all.
		kgo.DisableIdempotentWrite(),
		kgo.RequiredAcks(kgo.LeaderAck()),
		// A broker that has gone is noticed, and another looked for, within the time of a line.
		kgo.MetadataMinAge(250*time.Millisecond),
		kgo.RetryBackoffFn(func(tries int) time.Duration { return min(50*time.Millisecond<<min(tries, 10), time.Second) }),
	)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return &kafkaLog{client: client, timeout: c.Timeout.Or(kafkaTimeout), back: back}, nil
}

// write sends a copy of line. It does not wait: a buffer that is full takes nothing.
func (k *kafkaLog) write(line []byte) {
	value := append(make([]byte, 0, len(line)+1), line...)
	k.client.TryProduce(context.Background(), &kgo.Record{Value: value}, k.told)
}

// told is called once for each line, with what became of it.
func (k *kafkaLog) told(r *kgo.Record, err error) {
	if err == nil {
		k.taken.Add(1)
		return
	}
	k.failed.Add(1)
	k.back(append(r.Value, '\n'))
}

// close gives what is under way its time; the rest comes back.
func (k *kafkaLog) close() {
	if k == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), k.timeout)
	defer cancel()
	k.client.Flush(ctx) // what does not go is told as failed by Close
	k.client.Close()
}
