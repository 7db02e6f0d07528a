package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is JSON and what is not, and that both directions agree. */
class JsonTest {
    @Test
    void reads_every_kind_of_value() throws Malformed {
        Object expected = Json.object("a", Arrays.asList(1L, -2.5, "x", true, false, null), "b", Json.object(),
                "c", Collections.emptyList(), "d", 1e3);
        assertEquals(expected,
                Json.parse(" {\"a\" : [1,-2.5,\"x\",true,false,null],\n\"b\":{ },\t\"c\":[ ], \"d\":1E+3}\r\n"));
    }

    @ParameterizedTest
    @CsvSource(quoteCharacter = '`', value = {
        "`\"\\u00e9\\u20AC\"`, é€", "`\"\\ud83d\\ude00\"`, 😀", "`\"\\\"\\\\\\/\"`, `\"\\/`", "`\"ü€😀\"`, ü€😀"})
    void reads_escapes(String json, String text) throws Malformed {
        assertEquals(text, Json.parse(json));
    }

    @Test
    void reads_control_escapes() throws Malformed {
        assertEquals("\b\f\n\r\t\u0000", Json.parse("\"\\b\\f\\n\\r\\t\\u0000\""));
    }

    @ParameterizedTest
    @ValueSource(longs = {0, -1, Long.MAX_VALUE, Long.MIN_VALUE})
    void whole_numbers_are_exact(long number) throws Malformed {
        assertEquals(number, Json.parse(Long.toString(number)));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "{", "[1", "[1,]", "[1 2]", "{\"a\":1,}", "{a:1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}",
        "01", "+1", "-", "1.", ".5", "1e", "1e+", "0x1", "NaN", "Infinity", "9223372036854775808", "1e999", "tru",
        "nul", "True", "'a'", "\"a", "\"\\x\"", "\"\\u12g4\"", "\"\\u12\"", "\"\\u\uff11234\"", "\"a\nb\"", "\"a\u0000\"",
        "1 2", "{} x", "// c\n1", "{\"a\":1,\"a\":2}", "\u00a01", "[\u0000]", "\u0000", "]", "{\"a\":}"})
    void refuses_what_is_not_json(String text) {
        Malformed e = assertThrows(Malformed.class, () -> Json.parse(text));
        assertTrue(e.getMessage().startsWith("not JSON at "), e.getMessage());
    }

    @Test
    void says_where() {
        Malformed e = assertThrows(Malformed.class, () -> Json.parse("{\"a\": [1, x]}"));
        assertEquals("not JSON at character 11: expected a value", e.getMessage());
        e = assertThrows(Malformed.class, () -> Json.parse("{\"a\": [1"));
        assertEquals("not JSON at the end: expected ]", e.getMessage());
    }

    @Test
    void depth_and_size_have_an_end() throws Malformed {
        Json.parse(repeat("[", 32) + 1 + repeat("]", 32));
        for (int depth : new int[] {33, 1_000_000}) {
            String text = repeat("[", depth) + 1 + repeat("]", depth);
            Malformed deep = assertThrows(Malformed.class, () -> Json.parse(text));
            assertTrue(deep.getMessage().contains("nested deeper than 32"), deep.getMessage());
        }
        Json.parse("[" + repeat("0,", 199_998) + "0]");
        Malformed many = assertThrows(Malformed.class, () -> Json.parse("[" + repeat("0,", 199_999) + "0]"));
        assertTrue(many.getMessage().contains("more than 200000 values"), many.getMessage());
    }

    @Test
    void what_is_written_is_read_the_same_and_is_one_line() throws Malformed {
        StringBuilder all = new StringBuilder();
        for (char c = 0; c < 0x2100; c++) {
            all.append(c);
        }
        Object value = Json.object("text", all + "😀\ud800", "list", Arrays.asList(1L, 2.5, null, true),
                "empty", Json.object(), "none", Collections.emptyList());
        String written = Json.write(value);
        assertEquals(value, Json.parse(written));
        assertTrue(written.chars().noneMatch(c -> c < ' '), "no line break, no control character");
    }

    private static String repeat(String text, int times) {
        return String.join("", Collections.nCopies(times, text));
    }
}
