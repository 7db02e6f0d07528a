package spindle.yarn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.yarn.api.records.Container;

/**
 * What the lines between shim and driver have in common. Both ways it is one JSON object a line, at most
 * {@link #LINE_MAX} bytes of UTF-8, "type" first; a type that is not known is skipped, so that either side may be the
 * newer one. The Rust program's launch/shim/protocol.rs has all of them.
 */
final class Protocol {
    static final int VERSION = 1;
    static final int LINE_MAX = 4 << 20;
    private static final int DIAGNOSTICS_MAX = 4096;

    // The driver's lines, field by field; its target is a class of its own.

    /** What every line has. */
    static final class Line {
        String type;
    }

    static final class Ready {
        String http;
    }

    static final class Progress {
        double value = Double.NaN;
    }

    static final class Finish {
        String status;
        String diagnostics = "";
    }

    private Protocol() {}

    static void checkVersion(int said, String by) throws Malformed {
        Malformed.unless(said == VERSION, by + ".v is " + said + ", not " + VERSION);
    }

    /** A line about a slot; its container is null for one that never had any. */
    static String ofSlot(String type, Target.Slot slot, Container container, Object... more) {
        List<Object> fields = new ArrayList<>(Arrays.asList("slot", slot.slot, "gen", slot.gen,
                "container", container == null ? null : container.getId().toString(),
                "host", container == null ? null : container.getNodeId().getHost()));
        fields.addAll(Arrays.asList(more));
        return line(type, fields.toArray());
    }

    /** A line of these names and values, in turn. */
    static String line(String type, Object... namesAndValues) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("type", type);
        for (int i = 0; i < namesAndValues.length; i += 2) {
            Object value = namesAndValues[i + 1];
            // Gson looks into the class of a list, which most of the JDK's do not allow.
            Object written = value instanceof Collection ? new ArrayList<>((Collection<?>) value) : value;
            line.put((String) namesAndValues[i], written);
        }
        return Json.write(line);
    }

    /** Beginning and end: the first says what happened, the last lines are the process's own. */
    static String shortened(String diagnostics) {
        if (diagnostics == null) {
            return "";
        }
        int length = diagnostics.length();
        if (length <= DIAGNOSTICS_MAX) {
            return diagnostics;
        }
        int head = DIAGNOSTICS_MAX / 4;
        return diagnostics.substring(0, head) + " ... " + diagnostics.substring(length - 3 * head);
    }
}
