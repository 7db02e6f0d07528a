package spindle.yarn;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What the driver may want. */
class TargetTest {
    private static final String SLOT = "{'slot':0,'gen':3,'memory_mb':256,'cores':1,'argv':['./spindle','x'],'avoid':['h1']}";
    private static final String WHOLE = "{'type':'target','rev':7,'slots':[" + SLOT + "],'exclude':['h2'],'label':'gpu'}";

    @Test
    void a_whole_one_is_read() throws Malformed {
        Target target = parse(WHOLE);
        assertEquals(7, target.rev);
        assertEquals(3, target.slots.get(0).gen);
        assertEquals(Collections.singleton("h1"), target.slots.get(0).avoid);
        assertEquals(Collections.singleton("h2"), target.exclude);
        assertEquals("gpu", target.label);
        target = parse("{'rev':0,'slots':[]}");
        assertTrue(target.slots.isEmpty() && target.exclude.isEmpty() && target.label.isEmpty());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', value = {
        "'rev':7, | `` | target.rev", "'rev':7 | 'rev':-1 | target.rev", "'slots' | 'x' | target.slots is missing",
        "'slot':0, | `` | a slot's slot", "'gen':3, | `` | a slot's slot", "'gen':3 | 'gen':-1 | a slot's slot",
        "'memory_mb':256, | `` | a slot's slot", "'cores':1, | `` | a slot's slot", "'cores':1 | 'cores':0 | a slot's slot",
        "'argv' | 'x' | target.slots[].argv is missing", "./spindle | /bin/sh | the argv of a slot",
        "'./spindle','x' | `` | the argv of a slot", "'x'] | 'a\\u0000b'] | an argument of a slot contains a NUL",
        "['h1'] | [null] | target.slots[].avoid[] is missing"})
    void what_is_missing_or_out_of_range_is_malformed(String from, String to, String why) {
        assertTrue(WHOLE.contains(from));
        String message = assertThrows(Malformed.class, () -> parse(WHOLE.replace(from, to))).getMessage();
        assertTrue(message.startsWith(why), message);
    }

    @Test
    void a_slot_is_named_once_and_slots_are_bounded() {
        assertEquals("target names slot 0 twice", assertThrows(Malformed.class,
                () -> parse(WHOLE.replace(SLOT, SLOT + "," + SLOT))).getMessage());
        String many = String.join(",", Collections.nCopies(10_001, SLOT));
        assertTrue(assertThrows(Malformed.class, () -> parse(WHOLE.replace(SLOT, many))).getMessage().contains("10001 slots"));
    }

    private static Target parse(String text) throws Malformed {
        return Target.parse(text.replace('\'', '"'));
    }
}
