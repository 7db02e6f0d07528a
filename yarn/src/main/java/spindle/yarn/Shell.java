package spindle.yarn;

import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * Command lines for bash, in ASCII whatever they say: neither the locale of a node nor what its NodeManager
 * replaces in commands ({{X}}, &lt;LOG_DIR&gt;) can then change an argument.
 */
final class Shell {
    private static final String PLAIN = "-_./:=,@%+";

    private Shell() {}

    /** One word of a bash command: plain, or $'...' with everything else as bytes. */
    static String quote(String argument) {
        StringBuilder out = new StringBuilder();
        boolean plain = !argument.isEmpty();
        for (byte b : argument.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (b & 0xff);
            boolean safe = c < 0x80 && (Character.isLetterOrDigit(c) || PLAIN.indexOf(c) >= 0);
            plain &= safe;
            if (safe || c == ' ') {
                out.append(c);
            } else {
                out.append(String.format("\\x%02x", (int) c));
            }
        }
        return plain ? out.toString() : "$'" + out + "'";
    }

    /** Becomes {@code argv} once the file {@code spindle} has proved to be the one that was submitted. */
    static String verified(String sha256, List<String> argv) {
        return "echo '" + sha256 + "  spindle' | sha256sum -c --status || exit " + ExitCode.WRONG_BINARY
                + "; exec" + words(argv);
    }

    /** The arguments as words, each after a space. */
    static String words(List<String> arguments) {
        StringBuilder words = new StringBuilder();
        for (String argument : arguments) {
            words.append(' ').append(quote(argument));
        }
        return words.toString();
    }

    /** The script as a container's command, which the NodeManager runs by {@code bash -c "..."}. */
    static String container(String script, String log_prefix) {
        String log = "<LOG_DIR>/" + log_prefix;
        return script.replace("\\", "\\\\").replace("$", "\\$") + " 1>" + log + "stdout 2>" + log + "stderr";
    }
}
