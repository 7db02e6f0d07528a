package spindle.yarn;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The command line of {@link YarnJar}: what is for this jar, and what {@code spindle submit} gets as it is. */
final class Arguments {
    static final String USAGE = "Usage: yarn jar spindle-yarn.jar"
            + " [-D KEY=VALUE]... [--binary PROGRAM] [--sha256 HEX] [FLAGS] JOB.yaml\n\n"
            + "Submits a job to YARN, as spindle-submit does, for schedulers that know only `yarn jar`.\n\n"
            + "  -D KEY=VALUE      a setting of Hadoop for fetching PROGRAM; comes before all other flags; no secrets\n"
            + "  --binary PROGRAM  a file, or hdfs://, oss://, ossref:// or whatever this cluster's Hadoop reads;\n"
            + "                    without it: $SPINDLE_BIN, else beside this jar\n"
            + "  --sha256 HEX      what PROGRAM must hash to; without it: PROGRAM.sha256 beside it, if there is one\n"
            + "  FLAGS             of spark-submit and of spindle submit (spindle submit --help); without --master: yarn\n";

    /** Hadoop's settings, in their order. */
    final Map<String, String> settings = new LinkedHashMap<>();
    /** Where the program is; null when nobody says. */
    String binary;
    /** What the program must hash to, in lower case; null when nobody says. */
    String sha256;
    /** Who Kerberos shall see while the program is fetched; the child gets both, too. Null without. */
    String principal;
    String keytab;
    boolean help;
    /** What the child gets. */
    final List<String> passed = new ArrayList<>();

    private Arguments() {}

    static Arguments parse(String... args) throws Refused {
        Arguments parsed = new Arguments();
        for (String arg : args) {
            // Java puts it where it cannot read a byte, and the child would get a question mark.
            refuseIf(arg.indexOf('\ufffd') >= 0, "an argument has characters that this locale does not know: "
                    + "set LC_ALL=C.UTF-8");
        }
        int at = parsed.takeSettings(args);
        while (at < args.length) {
            at = parsed.take(args, at);
        }
        return parsed;
    }

    /** Hadoop's own commands take -D only there; further back it may be a value, as of --driver-java-options. */
    private int takeSettings(String[] args) throws Refused {
        int at = 0;
        while (at < args.length && args[at].startsWith("-D")) {
            String setting = args[at].substring(2);
            if (setting.isEmpty()) {
                at++;
                setting = at < args.length ? args[at] : "";
            }
            int equals = setting.indexOf('=');
            // The value is not shown: it may be a key.
            refuseIf(equals < 1, "-D: write -D KEY=VALUE, as in -D fs.oss.endpoint=oss-cn-beijing-internal.aliyuncs.com");
            String name = setting.substring(0, equals);
            refuseIf(Secrets.inSetting(name), "-D " + name + ": its value could be a secret, which everyone on this"
                    + " machine can see; put it into Hadoop's configuration (core-site.xml), or into a credential"
                    + " provider (-D hadoop.security.credential.provider.path=...)");
            settings.put(name, setting.substring(equals + 1));
            at++;
        }
        return at;
    }

    /** Takes what begins there; returns where the next begins. */
    private int take(String[] args, int at) throws Refused {
        String arg = args[at];
        if (arg.equals("--")) {
            passed.addAll(Arrays.asList(args).subList(at, args.length));
            return args.length;
        }
        int equals = arg.startsWith("--") ? arg.indexOf('=') : -1;
        String flag = equals < 0 ? arg : arg.substring(0, equals);
        boolean own = flag.equals("--binary") || flag.equals("--sha256");
        boolean shared = flag.equals("--principal") || flag.equals("--keytab");
        if (!own && !shared) {
            help |= arg.equals("--help") || arg.equals("-h");
            passed.add(arg);
            return at + 1;
        }
        int next = equals < 0 ? at + 2 : at + 1;
        refuseIf(next > args.length, flag + " needs a value: see --help");
        set(flag, equals < 0 ? args[at + 1] : arg.substring(equals + 1));
        if (shared) {
            passed.addAll(Arrays.asList(args).subList(at, next));
        }
        return next;
    }

    private void set(String flag, String value) throws Refused {
        switch (flag) {
            case "--principal":
                principal = value;
                break;
            case "--keytab":
                keytab = value;
                break;
            case "--sha256":
                sha256 = value.toLowerCase(Locale.ROOT);
                refuseIf(!Program.isSha256(sha256), "--sha256 " + value + ": write 64 hexadecimal digits, as sha256sum"
                        + " prints them");
                break;
            default:
                refuseIf(value.isEmpty(), "--binary names nothing: write where the program is");
                refuseIf(Secrets.inUrl(value), "--binary: the URL holds a password, which everyone on this machine can"
                        + " see; put it into Hadoop's configuration (core-site.xml)");
                // EMR's way to write oss:// where its agent shall fetch a file.
                binary = value.replaceFirst("^ossref://", "oss://");
        }
    }

    private static void refuseIf(boolean wrong, String why) throws Refused {
        if (wrong) {
            throw new Refused(true, why);
        }
    }
}
