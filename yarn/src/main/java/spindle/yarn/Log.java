package spindle.yarn;

import java.nio.file.FileSystemException;
import java.time.Instant;
import java.time.temporal.ChronoUnit;

/** What happened, a line each, on stderr: the file shim.stderr of the application master's container. */
final class Log {
    private Log() {}

    static void say(String what) {
        System.err.println(Instant.now().truncatedTo(ChronoUnit.MILLIS) + " " + what);
    }

    interface Work {
        void run() throws Exception;
    }

    /** Does what may fail: then a line says why, and all goes on. */
    static void attempt(String what, Work work) {
        try {
            work.run();
        } catch (Exception | LinkageError e) {
            say(what + ": " + cause(e));
        }
    }

    /** What went wrong in one line: the exception's own words, without classes, stacks and links. */
    static String cause(Throwable e) {
        String message = e.getMessage();
        if (message == null || message.trim().isEmpty()) {
            return e.getClass().getSimpleName();
        }
        if (e instanceof FileSystemException && ((FileSystemException) e).getReason() == null) {
            return message + ": " + e.getClass().getSimpleName(); // the message is only a path
        }
        return message.trim().split("\\s*([\\r\\n]|; For more details see)")[0]
                .replaceFirst("^([a-z]+\\.)+\\w+(Exception|Error): ", "");
    }
}
