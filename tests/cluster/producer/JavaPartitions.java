// Where Kafka's Java producer puts keys, as it comes: java -cp 'KAFKA/lib/*' JavaPartitions.java BROKERS TOPIC <KEYS
// prints for each line of stdin, a key, the partition of its record.
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Future;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.serialization.StringSerializer;

public class JavaPartitions {
    public static void main(String[] args) throws Exception {
        var keys = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).lines().toList();
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        var settings = Map.<String, Object>of("bootstrap.servers", args[0]);
        try (var producer = new KafkaProducer<>(settings, new StringSerializer(), new StringSerializer())) {
            for (var key : keys) {
                sent.add(producer.send(new ProducerRecord<>(args[1], key, "java")));
            }
        }
        for (var record : sent) {
            System.out.println(record.get().partition());
        }
    }
}
