package spindle.yarn;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.LocalResource;

/** What a NodeManager needs to start an executor: files, environment, command, tokens. */
final class LaunchContext {
    private final Map<String, LocalResource> resources = new HashMap<>();
    private final Map<String, String> env;
    private final ByteBuffer tokens;
    private final String sha256;

    LaunchContext(Settings settings) throws IOException {
        for (Settings.Resource resource : settings.resources) {
            resources.put(resource.name, Hadoop.localResource(resource));
        }
        env = Collections.singletonMap("HADOOP_USER_NAME", settings.user);
        tokens = Hadoop.credentialsForContainers();
        sha256 = settings.binary_sha256;
    }

    ContainerLaunchContext executor(List<String> argv) {
        String command = Shell.container(Shell.verified(sha256, argv), "");
        return ContainerLaunchContext.newInstance(resources, env, Collections.singletonList(command),
                null, tokens.duplicate(), null);
    }
}
