package spindle.yarn;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** What {@code spindle submit} wants on YARN: one line on {@link Submit}'s stdin, checked here as far as it goes. */
final class Submission {
    private static final int MAX = Integer.MAX_VALUE;
    private static final List<String> RESERVED = Arrays.asList(Staging.BINARY, Staging.JAR, Settings.FILE);

    /** A file that exists already, here or on the cluster. */
    static final class Given {
        final String path;
        /** Null when it is for us to compute. */
        final String sha256;

        Given(Fields fields) throws Malformed {
            path = fields.text("path");
            sha256 = fields.text("sha256", null);
            if (sha256 != null && !sha256.matches("[0-9a-f]{64}")) {
                throw new Malformed("the sha256 of " + path + " is not 64 hexadecimal digits");
            }
        }
    }

    /** A file for the application's containers alone; may be secret. */
    static final class Private {
        final String name;
        final byte[] content;
        /** Whether executors get it, too. */
        final boolean executors;

        private Private(Fields fields) throws Malformed {
            name = fields.text("name");
            content = fields.has("hex") ? unhex(name, fields.text("hex"))
                    : fields.text("text").getBytes(StandardCharsets.UTF_8);
            executors = fields.flag("executors");
        }
    }

    /** What one container gets. */
    static final class Size {
        final int memory_mb;
        final int cores;

        private Size(Fields fields) throws Malformed {
            memory_mb = fields.integer("memory_mb", 1, MAX);
            cores = fields.integer("cores", 1, MAX);
        }
    }

    final String staging;
    final Given binary;
    final Given jar;
    final List<Private> privates = new ArrayList<>();
    final List<String> files;
    final String name;
    final String queue;
    final Set<String> tags;
    final int priority;
    /** Null for the queue's own. */
    final String label;
    final int attempts;
    final long attempts_window_ms;
    final Size am;
    final Size executor;
    final int instances;
    final List<String> driver_args;
    /** Empty for ours. */
    final List<String> am_java_opts;

    private Submission(Fields fields) throws Malformed {
        fields.integer("v", Protocol.VERSION, Protocol.VERSION);
        staging = fields.text("staging");
        binary = new Given(fields.object("binary"));
        jar = new Given(fields.object("jar"));
        for (Fields each : fields.objects("private")) {
            privates.add(new Private(each));
        }
        files = fields.texts("files");
        name = fields.text("name");
        queue = fields.text("queue");
        tags = new HashSet<>(fields.texts("tags"));
        priority = fields.has("priority") ? fields.integer("priority", 0, MAX) : 0;
        label = fields.text("label", "").isEmpty() ? null : fields.text("label");
        attempts = fields.integer("attempts", 1, MAX);
        attempts_window_ms = fields.number("attempts_window_ms", -1, Long.MAX_VALUE);
        am = new Size(fields.object("am"));
        executor = new Size(fields.object("executor"));
        instances = fields.object("executor").integer("instances", 1, MAX);
        driver_args = fields.texts("driver_args");
        am_java_opts = fields.texts("am_java_opts");
        checkNames();
    }

    static Submission parse(String line) throws Malformed {
        return new Submission(Fields.parse(line, "submission"));
    }

    /** The name of a file in a container. */
    static String baseName(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    /** YARN refuses containers in which two files have one name, but says so late. */
    private void checkNames() throws Malformed {
        Set<String> names = new HashSet<>(RESERVED);
        List<String> own = new ArrayList<>();
        for (Private each : privates) {
            own.add(each.name);
        }
        for (String file : files) {
            own.add(baseName(file));
        }
        for (String name : own) {
            if (name.isEmpty() || name.contains("/") || name.startsWith(".")) {
                throw new Malformed("\"" + name + "\" cannot be the name of a file in a container");
            }
            if (!names.add(name)) {
                throw new Malformed("two files would be called " + name + " in the containers: rename one");
            }
        }
    }

    private static byte[] unhex(String name, String hex) throws Malformed {
        if (!hex.matches("([0-9a-f]{2})*")) {
            throw new Malformed("the hex of " + name + " is not pairs of hexadecimal digits");
        }
        byte[] bytes = new byte[hex.length() / 2];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Integer.parseInt(hex.substring(2 * i, 2 * i + 2), 16);
        }
        return bytes;
    }
}
