package spindle.yarn;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.PrintStream;
import java.io.UnsupportedEncodingException;

/**
 * What `spindle submit` starts a JVM for: reads one {@link Submission} from stdin, has the {@link Submitter} see to
 * it, and ends; following the application needs no JVM. It names no class of Hadoop or of its libraries, so that it
 * can say when there is none.
 */
final class Submit {
    private Submit() {}

    public static void main(String[] args) throws UnsupportedEncodingException {
        long began_ns = System.nanoTime();
        PrintStream out = new PrintStream(new FileOutputStream(FileDescriptor.out), true, "UTF-8");
        System.setOut(System.err); // whatever a library prints
        int code;
        try {
            String line = new Lines(System.in, Protocol.LINE_MAX).next();
            if (line == null) {
                throw new Malformed("no line on stdin");
            }
            new Submitter(Submission.parse(line), out, began_ns).run();
            code = 0;
        } catch (Malformed e) {
            code = refuse(out, true, e.getMessage());
        } catch (Refused e) {
            code = refuse(out, e.usage, e.getMessage());
        } catch (NoClassDefFoundError e) {
            e.printStackTrace();
            // By hand: what writes lines may be what is missing.
            out.println("{\"type\":\"refused\",\"kind\":\"usage\",\"text\":\"no class " + Log.cause(e).replace('/', '.')
                    + ": the classpath has not all of Hadoop; is HADOOP_HOME right?\"}");
            code = 2;
        } catch (Throwable e) { // then threads that are left must not keep the process
            e.printStackTrace();
            code = refuse(out, false, Log.cause(e));
        }
        out.flush();
        System.err.flush();
        Runtime.getRuntime().halt(code);
    }

    private static int refuse(PrintStream out, boolean usage, String text) {
        out.println(Protocol.line("refused", "kind", usage ? "usage" : "failed", "text", text));
        return usage ? 2 : 1;
    }
}
