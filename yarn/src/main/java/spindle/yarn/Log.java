package spindle.yarn;

import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** What happened, a line each, on stderr: the file shim.stderr of the application master's container. */
final class Log {
    private Log() {}

    static void say(String what) {
        System.err.println(Instant.now().truncatedTo(ChronoUnit.MILLIS) + " " + what);
    }

    /** What went wrong in one line: the exception's own words, without its stack. */
    static String cause(Throwable e) {
        String message = e.getMessage();
        if (message == null || message.trim().isEmpty()) {
            message = e.getClass().getSimpleName();
        }
        return message.trim().split("\\s*[\\r\\n]")[0];
    }
}
