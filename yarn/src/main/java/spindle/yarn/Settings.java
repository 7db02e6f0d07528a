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
    final int driver_memory_mb;
    final int executor_memory_mb;
    final long spread_timeout_ms;
    final long beat_asking_ms;
    final long beat_idle_ms;

    Settings(String user, String app_dir, String binary_sha256, List<String> driver_args, List<Resource> resources,
            int driver_memory_mb, int executor_memory_mb) {
        this(user, app_dir, binary_sha256, driver_args, resources, driver_memory_mb, executor_memory_mb,
                5000, 200, 1000);
    }

    Settings(String user, String app_dir, String binary_sha256, List<String> driver_args, List<Resource> resources,
            int driver_memory_mb, int executor_memory_mb, long spread_timeout_ms, long beat_asking_ms,
            long beat_idle_ms) {
        this.user = user;
        this.app_dir = app_dir;
        this.binary_sha256 = binary_sha256;
        this.driver_args = driver_args;
        this.resources = resources;
        this.driver_memory_mb = driver_memory_mb;
        this.executor_memory_mb = executor_memory_mb;
        this.spread_timeout_ms = spread_timeout_ms;
        this.beat_asking_ms = beat_asking_ms;
        this.beat_idle_ms = beat_idle_ms;
    }

    static Settings parse(String text) throws Malformed {
        Fields fields = Fields.parse(text, FILE);
        fields.integer("v", Protocol.VERSION, Protocol.VERSION);
        List<Resource> resources = new ArrayList<>();
        for (Fields resource : fields.objects("resources")) {
            resources.add(new Resource(resource.text("name"), resource.text("url"),
                    resource.number("size", 0, Long.MAX_VALUE), resource.number("mtime", 0, Long.MAX_VALUE),
                    resource.text("visibility")));
        }
        int max = Integer.MAX_VALUE;
        return new Settings(fields.text("user"), fields.text("app_dir"), fields.text("binary_sha256"),
                fields.texts("driver_args"), resources, fields.integer("driver_memory_mb", 1, max),
                fields.integer("executor_memory_mb", 1, max), fields.number("spread_timeout_ms", 0, max),
                fields.number("beat_asking_ms", 1, max), fields.number("beat_idle_ms", 1, max));
    }

    String write() {
        List<Map<String, Object>> resources = new ArrayList<>();
        for (Resource resource : this.resources) {
            resources.add(Json.object("name", resource.name, "url", resource.url, "size", resource.size,
                    "mtime", resource.mtime, "visibility", resource.visibility));
        }
        return Json.write(Json.object("v", Protocol.VERSION, "user", user, "app_dir", app_dir,
                "binary_sha256", binary_sha256, "driver_args", driver_args, "resources", resources,
                "driver_memory_mb", driver_memory_mb, "executor_memory_mb", executor_memory_mb,
                "spread_timeout_ms", spread_timeout_ms, "beat_asking_ms", beat_asking_ms,
                "beat_idle_ms", beat_idle_ms));
    }
}
