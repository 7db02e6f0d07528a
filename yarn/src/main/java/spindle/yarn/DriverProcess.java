package spindle.yarn;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.RandomAccessFile;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.atomic.AtomicLong;

/**
 * The driver: our child, in our process group so that YARN's signals reach it too. A thread reads its stdout, one
 * writes its stdin, one waits for its end; none of them is ever waited for. What they see they post to the
 * {@link ApplicationMaster}.
 */
final class DriverProcess {
    /** What may wait to be written: a driver that is so far behind does not read. */
    static final long UNWRITTEN_MAX = 8L << 20;
    /** In a line: what 4 MiB of the smallest ones would take in memory is more than the heap. */
    private static final int VALUES_MAX = 200_000;
    private static final byte[] END = new byte[0];

    private final Process process;
    private final File stderr;
    private final ApplicationMaster master;
    private final LinkedBlockingQueue<byte[]> unwritten = new LinkedBlockingQueue<>();
    private final AtomicLong unwritten_bytes = new AtomicLong();

    private DriverProcess(Process process, File stderr, ApplicationMaster master) {
        this.process = process;
        this.stderr = stderr;
        this.master = master;
    }

    static DriverProcess start(List<String> command, File dir, File stderr, ApplicationMaster master) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(command).directory(dir);
        builder.redirectError(ProcessBuilder.Redirect.appendTo(stderr));
        // It is there to keep the JVM small.
        builder.environment().remove("MALLOC_ARENA_MAX");
        DriverProcess driver = new DriverProcess(builder.start(), stderr, master);
        thread("driver-reader", driver::read);
        thread("driver-writer", driver::write);
        thread("driver-end", driver::awaitEnd);
        return driver;
    }

    /** Gives the line to the writer; false when the driver is too far behind. */
    boolean send(String line) {
        byte[] bytes = (line + "\n").getBytes(StandardCharsets.UTF_8);
        if (unwritten_bytes.addAndGet(bytes.length) > UNWRITTEN_MAX) {
            return false;
        }
        unwritten.add(bytes);
        return true;
    }

    /** Closes its stdin once everything is written. */
    void closeStdin() {
        unwritten.add(END);
    }

    void terminate() {
        process.destroy();
    }

    void kill() {
        process.destroyForcibly();
    }

    /** The last line of its stderr: most often the cause of its end. */
    String lastWords() {
        try (RandomAccessFile file = new RandomAccessFile(stderr, "r")) {
            byte[] tail = new byte[(int) Math.min(1024, file.length())];
            file.seek(file.length() - tail.length);
            file.readFully(tail);
            String text = new String(tail, StandardCharsets.UTF_8).trim();
            return text.substring(text.lastIndexOf('\n') + 1);
        } catch (IOException e) {
            return "";
        }
    }

    private void read() throws IOException {
        Lines lines = new Lines(process.getInputStream(), Protocol.LINE_MAX);
        try {
            for (String next = lines.next(); next != null; next = lines.next()) {
                String line = next;
                Malformed.unless(line.chars().filter(DriverProcess::beginsValue).count() < VALUES_MAX,
                        "a line has more than " + VALUES_MAX + " values");
                master.post(() -> master.hear(line));
            }
            master.post(master::driverClosedStdout);
        } catch (Malformed e) {
            master.post(() -> {
                throw e;
            });
        }
    }

    /** Each value but the first comes after one of these; texts may have some, too. */
    private static boolean beginsValue(int c) {
        return c == ',' || c == '[' || c == '{';
    }

    private void write() throws IOException, InterruptedException {
        try (OutputStream out = process.getOutputStream()) {
            for (byte[] bytes = unwritten.take(); bytes != END; bytes = unwritten.take()) {
                out.write(bytes);
                if (unwritten.isEmpty()) {
                    out.flush();
                }
                unwritten_bytes.addAndGet(-bytes.length);
            }
        }
    }

    private void awaitEnd() throws InterruptedException {
        int code = process.waitFor();
        master.post(() -> master.driverEnded(code));
    }

    /** A pipe breaks when the driver ends, which is told by the thread that waits for that. */
    private static void thread(String name, Log.Work work) {
        Thread thread = new Thread(() -> Log.attempt(name, work), name);
        thread.setDaemon(true);
        thread.start();
    }
}
