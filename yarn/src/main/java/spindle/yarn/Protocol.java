package spindle.yarn;

import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The lines to the driver. Both ways it is one JSON object a line, at most {@link #LINE_MAX} bytes of UTF-8,
 * "type" first; a type that is not known is skipped, so that either side may be the newer one.
 */
final class Protocol {
    static final int VERSION = 1;
    static final int LINE_MAX = 4 << 20;
    private static final int DIAGNOSTICS_MAX = 4096;

    /** What every line of the driver has. */
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

    static String registered(Cluster.Registered facts, int nodes, int executor_memory_mb) {
        return line("registered", "max_memory_mb", facts.max_memory_mb, "max_cores", facts.max_cores,
                "queue", facts.queue, "nodes", nodes, "executor_memory_mb", executor_memory_mb);
    }

    static String granted(Target.Slot slot, Cluster.Grant grant) {
        return line("granted", "slot", slot.slot, "gen", slot.gen, "container", grant.container,
                "host", grant.host, "memory_mb", grant.memory_mb);
    }

    static String started(Target.Slot slot, Cluster.Grant grant) {
        return line("started", "slot", slot.slot, "gen", slot.gen, "container", grant.container,
                "host", grant.host, "log_url", grant.log_url);
    }

    /** {@code grant} is null for a slot that never had a container. */
    static String exited(Target.Slot slot, Cluster.Grant grant, ExitClass why, int code, String diagnostics) {
        return line("exited", "slot", slot.slot, "gen", slot.gen,
                "container", grant == null ? null : grant.container, "host", grant == null ? null : grant.host,
                "class", why.wire(), "code", code, "diagnostics", shortened(diagnostics));
    }

    static String waiting(Collection<Integer> slots, long seconds, String why) {
        return line("waiting", "slots", slots, "seconds", seconds, "why", why);
    }

    static String nodes(int usable, Collection<String> lost) {
        return line("nodes", "usable", usable, "lost", lost);
    }

    static String rm(String state, long seconds) {
        return line("rm", "state", state, "seconds", seconds);
    }

    static String ping(long n) {
        return line("ping", "n", n);
    }

    static String line(String type, Object... namesAndValues) {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("type", type);
        for (int i = 0; i < namesAndValues.length; i += 2) {
            Object value = namesAndValues[i + 1];
            // Gson looks into the class of a list, which most of the JDK's do not allow.
            line.put((String) namesAndValues[i], value instanceof Collection ? new ArrayList<>((Collection<?>) value) : value);
        }
        return Json.write(line);
    }

    /** Beginning and end: the first says what happened, the last lines are the process's own. */
    private static String shortened(String diagnostics) {
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
