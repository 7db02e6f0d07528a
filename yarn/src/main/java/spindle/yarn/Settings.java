package spindle.yarn;

import java.util.List;

/**
 * What {@link Submit} lets the {@link ApplicationMaster} know: the file am.json in its container, whose fields are
 * these. Nothing secret.
 */
final class Settings {
    static final String FILE = "am.json";

    /** A file that executors find in their containers. */
    static final class Resource {
        String name;
        String url;
        long size;
        long mtime;
        /** PUBLIC, PRIVATE or APPLICATION. */
        String visibility;
    }

    int v;
    String user;
    String app_dir;
    String binary_sha256;
    List<String> driver_args;
    List<Resource> resources;
    /** Folders in staging that it needs for as long as it runs: its own, and those that it shares. */
    List<String> needed;
    /** Memory as the scheduler rounds it. */
    int driver_memory_mb;
    int executor_memory_mb;
    /** How long a full host is passed over while nothing else is given. */
    long spread_timeout_ms = 5000;
    /** Between heartbeats while something is asked for. */
    long beat_asking_ms = 200;
    long beat_idle_ms = 1000;

    static Settings parse(String text) throws Malformed {
        Settings settings = Json.read(Settings.class, text, FILE);
        Protocol.checkVersion(settings.v, FILE);
        return settings;
    }
}
