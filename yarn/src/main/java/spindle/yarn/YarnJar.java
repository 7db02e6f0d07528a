package spindle.yarn;

import java.io.File;
import java.io.IOException;
import java.net.JarURLConnection;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * What {@code yarn jar spindle-yarn.jar} starts, for schedulers that know only that command: gets the program, and runs
 * {@code spindle submit} as its child. It names no class of Hadoop: a local program needs none.
 */
public final class YarnJar {
    private static final String NAME = "spindle-yarn.jar";
    private static final int FAILED = 1;
    private static final int USAGE = 2;

    private YarnJar() {}

    public static void main(String[] args) {
        // By exit, not by return: shutdown hooks tidy up, ours and Hadoop's, and threads of Hadoop's must not stay.
        System.exit(run(args));
    }

    private static int run(String[] args) {
        Child child = new Child();
        try {
            Arguments arguments = Arguments.parse(args);
            if (args.length == 0 || arguments.help) {
                (arguments.help ? System.out : System.err).print(Arguments.USAGE);
                return arguments.help ? 0 : USAGE;
            }
            child.followSignals();
            Path jar = jar();
            List<Path> places = Places.beside(jar, jar.toRealPath());
            Program program = Program.find(arguments, System.getenv("SPINDLE_BIN"), places, jar.toRealPath());
            Path file = program.ready(source(program, arguments), Scratch::folder);
            return child.run(command(file, arguments), environment(jar));
        } catch (Refused e) {
            say(e.getMessage());
            return e.usage ? USAGE : FAILED;
        } catch (InvalidPathException e) {
            say("the path " + e.getInput() + " has characters that this locale does not know: set LC_ALL=C.UTF-8");
            return USAGE;
        } catch (IOException | InterruptedException e) {
            say(Log.cause(e));
            return FAILED;
        }
    }

    /** Hadoop is loaded for what only Hadoop can read. */
    private static Program.Source source(Program program, Arguments arguments) throws Refused {
        if (!program.isRemote()) {
            return Program.LOCAL;
        }
        try {
            return new HadoopFiles(arguments);
        } catch (IOException e) {
            throw new Refused(false, "fetch " + program.from + ": log in to Hadoop: " + Log.cause(e));
        } catch (NoClassDefFoundError e) {
            throw new Refused(false, "fetch " + program.from + ": no class " + Log.cause(e).replace('/', '.')
                    + ": there is no Hadoop on the classpath; start this jar by `yarn jar` or `hadoop jar`");
        }
    }

    private static List<String> command(Path program, Arguments arguments) {
        // A job that is started by `yarn jar` is for YARN. As a property, any other --master goes before it.
        List<String> command =
                new ArrayList<>(Arrays.asList(program.toString(), "submit", "--conf", "spark.master=yarn"));
        command.addAll(arguments.passed);
        return command;
    }

    private static Map<String, String> environment(Path jar) throws IOException {
        Map<String, String> environment = new HashMap<>(Collections.singletonMap("SPINDLE_JAR", jar.toString()));
        environment.put("SPINDLE_PARENT", Files.readSymbolicLink(Paths.get("/proc/self")).toString());
        // The submitting JVM is this one's twin; Hadoop's scripts need not have told where this one is.
        environment.put("JAVA_HOME", System.getenv().getOrDefault("JAVA_HOME", System.getProperty("java.home")));
        return environment;
    }

    /** This jar. {@code yarn jar} unpacks it and loads the classes from there, but has the jar on the class path, too. */
    private static Path jar() throws IOException, Refused {
        String name = YarnJar.class.getName().replace('.', '/') + ".class";
        for (URL url : Collections.list(YarnJar.class.getClassLoader().getResources(name))) {
            if (url.getProtocol().equals("jar")) {
                URL jar = ((JarURLConnection) url.openConnection()).getJarFileURL();
                return new File(java.net.URI.create(jar.toString())).toPath().toAbsolutePath();
            }
        }
        throw new Refused(false, "find " + NAME + ": these classes are in no jar; start them by `yarn jar " + NAME + "`");
    }

    /** One line on stderr, whatever it holds. */
    private static void say(String what) {
        System.err.println(NAME + ": " + what.replaceAll("\\p{Cntrl}", "?"));
    }
}
