package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Lines out of streams that give as much at a time as they like. */
class LinesTest {
    private static final int MAX = 100_000;

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 7, 8191, 8192, 8193, 1_000_000})
    void lines_come_whole_however_they_arrive(int at_a_time) throws Exception {
        String large = String.join("", Collections.nCopies(MAX / 2, "é"));
        Lines lines = lines(at_a_time, "a\n\n" + large + "\nbü\r\n");
        for (String expected : Arrays.asList("a", "", large, "bü\r")) {
            assertEquals(expected, lines.next());
        }
        assertNull(lines.next());
    }

    @Test
    void a_line_without_an_end_is_none() throws Exception {
        Lines lines = lines(5, "a\n{\"type\":\"fin");
        assertEquals("a", lines.next());
        assertNull(lines.next());
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4096, 1_000_000})
    void a_line_may_be_as_long_as_allowed_and_no_longer(int at_a_time) throws Exception {
        String longest = String.join("", Collections.nCopies(MAX, "x"));
        assertEquals(longest, lines(at_a_time, longest + "\n").next());
        for (String longer : Arrays.asList(longest + "x\n", longest + "x")) {
            Malformed e = assertThrows(Malformed.class, () -> lines(at_a_time, longer).next());
            assertEquals("a line is longer than 100000 bytes", e.getMessage());
        }
    }

    @Test
    void an_endless_line_is_refused_without_reading_on() {
        InputStream endless = new InputStream() {
            private long given;

            @Override
            public int read() {
                if (++given > 2 * MAX) {
                    throw new AssertionError("still reading");
                }
                return 'x';
            }
        };
        assertThrows(Malformed.class, () -> new Lines(endless, MAX).next());
    }

    @Test
    void bytes_that_are_no_utf8_are_refused() {
        InputStream in = new ByteArrayInputStream(new byte[] {'a', (byte) 0xff, '\n'});
        assertThrows(Malformed.class, () -> new Lines(in, MAX).next());
    }

    private static Lines lines(int at_a_time, String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        return new Lines(new ByteArrayInputStream(bytes) {
            @Override
            public synchronized int read(byte[] into, int from, int length) {
                return super.read(into, from, Math.min(length, at_a_time));
            }
        }, MAX);
    }
}
