package spindle.yarn;

import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.List;
import java.util.Map;

/**
 * The client, {@code spindle submit}: has our stdin, stdout and stderr, hears of our signals, and decides our exit code.
 * When this JVM is killed, the client learns that from the kernel, by SPINDLE_PARENT.
 */
final class Child {
    private static final int SIGNALLED = 128;
    private Process process;

    /**
     * From now on SIGINT and SIGTERM are for the child, as SIGTERM: Java can send no other. Without this the JVM would
     * end at the first one, before the child has taken its last cut. By reflection: the class is in every JDK, but in no
     * API that one can compile against for Java 8. JVMs with -Xrs do not have it; then the kernel tells the child.
     */
    void followSignals() {
        try {
            Class<?> signal = Class.forName("sun.misc.Signal");
            Class<?> handler = Class.forName("sun.misc.SignalHandler");
            Object forward = Proxy.newProxyInstance(Child.class.getClassLoader(), new Class<?>[] {handler},
                    (proxy, method, args) -> {
                        pass((int) signal.getMethod("getNumber").invoke(args[0]));
                        return null;
                    });
            for (String name : new String[] {"INT", "TERM"}) {
                Object instance = signal.getConstructor(String.class).newInstance(name);
                signal.getMethod("handle", signal, handler).invoke(null, instance, forward);
            }
        } catch (ReflectiveOperationException | IllegalArgumentException e) {
            Throwable cause = e instanceof InvocationTargetException ? e.getCause() : e;
            System.err.println("spindle-yarn.jar: signals are not passed on as they come: " + Log.cause(cause));
        }
    }

    private synchronized void pass(int signal) {
        if (process == null) {
            System.exit(SIGNALLED + signal);
        }
        process.destroy();
    }

    /** Must be the thread that lives until the end: when it ends, the kernel takes that for the end of the parent. */
    int run(List<String> command, Map<String, String> environment) throws InterruptedException, Refused {
        ProcessBuilder builder = new ProcessBuilder(command).inheritIO();
        builder.environment().putAll(environment);
        try {
            synchronized (this) {
                process = builder.start();
            }
        } catch (IOException e) {
            throw new Refused(false, "run " + command.get(0) + ": " + why(e));
        }
        return process.waitFor();
    }

    private static String why(IOException e) {
        String cause = Log.cause(e.getCause() != null ? e.getCause() : e);
        if (cause.contains("Permission denied")) {
            return cause + ": if its file system is mounted noexec, set TMPDIR to another folder";
        }
        return cause.contains("No such file") ? cause + ": what it needs to be loaded is not on this machine;"
                + " take the portable binary of the package" : cause;
    }
}
