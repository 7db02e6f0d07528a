package spindle.yarn;

import com.google.gson.annotations.SerializedName;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.commons.codec.DecoderException;
import org.apache.commons.codec.binary.Hex;

/**
 * What {@code spindle submit} wants on YARN: one line on {@link Submit}'s stdin, whose fields are these, checked as
 * far as it goes here.
 */
final class Submission {
    private static final List<String> RESERVED = Arrays.asList(Staging.BINARY, Staging.JAR, Settings.FILE);

    /** A file that exists already, here or on the cluster. */
    static final class Given {
        String path;
        /** What a file here has, what one on the cluster must have; empty when it is for us to compute. */
        String sha256 = "";
    }

    /** A file for the application's containers alone; may be secret. */
    static final class Private {
        String name;
        String text = "";
        /** In place of a text: bytes. */
        String hex = "";
        /** Whether executors get it, too. */
        boolean executors;

        byte[] content() throws Malformed {
            try {
                return hex.isEmpty() ? text.getBytes(StandardCharsets.UTF_8) : Hex.decodeHex(hex.toCharArray());
            } catch (DecoderException e) {
                throw new Malformed("the hex of " + name + " is not pairs of hexadecimal digits");
            }
        }
    }

    /** What one container gets. */
    static final class Size {
        int memory_mb;
        int cores;
        /** How many of them; there is one application master whatever it says. */
        int instances;
    }

    int v;
    /** Whom Kerberos is told that we are, and the file here that proves it; empty for whoever has a ticket. */
    String principal = "";
    String keytab = "";
    String staging;
    Given binary;
    Given jar;
    @SerializedName("private")
    List<Private> privates;
    List<String> files;
    String name;
    String queue;
    Set<String> tags;
    int priority;
    /** Empty for the queue's own. */
    String label = "";
    int attempts;
    long attempts_window_ms;
    Size am;
    Size executor;
    List<String> driver_args;

    static Submission parse(String line) throws Malformed {
        Submission submission = Json.read(Submission.class, line, "submission");
        Protocol.checkVersion(submission.v, "submission");
        submission.check();
        return submission;
    }

    /** The name of a file in a container. */
    static String baseName(String path) {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    private void check() throws Malformed {
        for (Size size : Arrays.asList(am, executor)) {
            Malformed.unless(size.memory_mb > 0 && size.cores > 0,
                    "submission: memory_mb or cores is missing or too small");
        }
        Malformed.unless(attempts > 0 && executor.instances > 0,
                "submission: attempts or executor.instances is missing or too small");
        for (Given given : Arrays.asList(binary, jar)) {
            Malformed.unless(given.sha256.matches("([0-9a-f]{64})?"),
                    "the sha256 of " + given.path + " is not 64 hexadecimal digits");
        }
        List<String> own = new ArrayList<>();
        for (Private each : privates) {
            each.content();
            own.add(each.name);
        }
        for (String file : files) {
            own.add(baseName(file));
        }
        // YARN refuses containers in which two files have one name, but says so late.
        Set<String> names = new HashSet<>(RESERVED);
        for (String name : own) {
            Malformed.unless(!name.isEmpty() && !name.contains("/") && !name.startsWith("."),
                    "\"" + name + "\" cannot be the name of a file in a container");
            Malformed.unless(names.add(name),
                    "two files would be called " + name + " in the containers: rename one");
        }
    }
}
