package spindle.yarn;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** What {@link Submit} lets the {@link ApplicationMaster} know: the file am.json in its container. Nothing secret. */
final class Settings {
    static final String FILE = "am.json";

    /** A file that executors find in their containers. */
    static final class Resource {
        final String name;
        final String url;
        final long size;
        final long mtime;
        /** PUBLIC, PRIVATE or APPLICATION. */
        final String visibility;

        Resource(String name, String url, long size, long mtime, String visibility) {
            this.name = name;
            this.url = url;
            this.size = size;
            this.mtime = mtime;
            this.visibility = visibility;
        }
    }

    final String user;
    final String app_dir;
    final String binary_sha256;
    final List<String> driver_args;
    final List<Resource> resources;
    /** Folders in staging that it needs for as long as it runs: its own, and those that it shares. */
    final List<String> needed;
    final int driver_memory_mb;
    final int executor_memory_mb;
    /** How long a full host is passed over while nothing else is given. */
    final long spread_timeout_ms;
    /** Between heartbeats while something is asked for. */
    final long beat_asking_ms;
    final long beat_idle_ms;

    private Settings(Fields fields) throws Malformed {
        int max = Integer.MAX_VALUE;
        fields.integer("v", Protocol.VERSION, Protocol.VERSION);
        user = fields.text("user");
        app_dir = fields.text("app_dir");
        binary_sha256 = fields.text("binary_sha256");
        driver_args = fields.texts("driver_args");
        resources = new ArrayList<>();
        for (Fields resource : fields.objects("resources")) {
            resources.add(new Resource(resource.text("name"), resource.text("url"),
                    resource.number("size", 0, Long.MAX_VALUE), resource.number("mtime", 0, Long.MAX_VALUE),
                    resource.text("visibility")));
        }
        needed = fields.texts("needed");
        driver_memory_mb = fields.integer("driver_memory_mb", 1, max);
        executor_memory_mb = fields.integer("executor_memory_mb", 1, max);
        spread_timeout_ms = fields.number("spread_timeout_ms", 0, max);
        beat_asking_ms = fields.number("beat_asking_ms", 1, max);
        beat_idle_ms = fields.number("beat_idle_ms", 1, max);
    }

    static Settings parse(String text) throws Malformed {
        return new Settings(Fields.parse(text, FILE));
    }

    /** What {@link #parse} reads; memory as the scheduler rounds it. */
    static String write(String user, String app_dir, String binary_sha256, List<String> driver_args,
            List<Resource> resources, List<String> needed, int driver_memory_mb, int executor_memory_mb) {
        List<Map<String, Object>> files = new ArrayList<>();
        for (Resource resource : resources) {
            files.add(Json.object("name", resource.name, "url", resource.url, "size", resource.size,
                    "mtime", resource.mtime, "visibility", resource.visibility));
        }
        return Json.write(Json.object("v", Protocol.VERSION, "user", user, "app_dir", app_dir,
                "binary_sha256", binary_sha256, "driver_args", driver_args, "resources", files,
                "needed", needed, "driver_memory_mb", driver_memory_mb, "executor_memory_mb", executor_memory_mb,
                "spread_timeout_ms", 5000, "beat_asking_ms", 200, "beat_idle_ms", 1000));
    }
}
