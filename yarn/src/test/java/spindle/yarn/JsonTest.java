package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** That whatever is not JSON has a defined end, and that what is written is one line that reads the same. */
class JsonTest {
    private static final class Form {
        String a;
        int b = -1;
        double c = 0.5;
        List<String> d = Collections.emptyList();
    }

    private static final class Deep {
        Deep e;
    }

    private static final class Text {
        String text;
    }

    private static final class Optional {
        String a = "";
        int b = -1;
    }

    @ParameterizedTest
    @ValueSource(strings = {"", " ", "{", "[]", "1", "\"a\"", "null", "}", "{'a':'',}", "{a:''}", "{'a' ''}",
        "{'a':'' 'b':2}", "{'a':'b}", "{'a':'\\u12g4'}", "{'a':''} x", "{'a':''} {}", "// c\n{'a':''}", "\u0000",
        "{'a':'','x':tru}", "{'a':'','x':[}", // what is skipped is JSON, too
        "{'a':null}", "{'b':1}", "{'a':[]}", "{'a':'','b':1.5}", "{'a':'','b':2147483648}", "{'a':'','b':'x'}",
        "{'a':'','c':NaN}", "{'a':'','c':{}}", "{'a':'','d':'x'}", "{'a':'','d':[null]}", "{'a':'','d':[[]]}"})
    void what_is_not_of_its_form_is_malformed_in_one_line(String text) {
        Malformed e = assertThrows(Malformed.class, () -> Json.read(Form.class, text.replace('\'', '"'), "line"));
        assertTrue(e.getMessage().startsWith("line") && !e.getMessage().contains("\n"), e.getMessage());
    }

    @ParameterizedTest
    @ValueSource(strings = {"[", "{\"e\":", "{\"x\":"})
    void depth_has_a_defined_end(String nested) {
        String text = String.join("", Collections.nCopies(1_000_000, nested));
        assertThrows(Malformed.class, () -> Json.read(Deep.class, text, "line"));
    }

    @Test
    void what_is_not_known_is_skipped_and_what_has_a_value_may_be_missing() throws Malformed {
        Optional form = Json.read(Optional.class, " {\"x\":[{\"y\":null},1e999],\"a\":\"\\u00fc\"}\r\n", "line");
        assertEquals("ü", form.a);
        assertEquals(-1, form.b);
    }

    @Test
    void what_is_written_is_one_line_and_reads_the_same() throws Malformed {
        StringBuilder all = new StringBuilder("\ud83d\ude00");
        for (char c = 0; c < 0x2100; c++) {
            all.append(c);
        }
        String line = Protocol.line("x", "text", all.toString(), "none", null, "list", Arrays.asList(1, 2),
                "empty", Collections.emptyList(), "n", Long.MAX_VALUE);
        assertTrue(line.chars().noneMatch(c -> c < ' '), "no line break, no control character");
        assertTrue(line.startsWith("{\"type\":\"x\",\"text\":\""), line);
        assertTrue(line.endsWith(",\"none\":null,\"list\":[1,2],\"empty\":[],\"n\":9223372036854775807}"), line);
        assertTrue(line.contains("<=>"), "no escapes for HTML");
        assertEquals(all.toString(), Json.read(Text.class, line, "line").text);
    }
}
