package spindle.yarn;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.token.SecretManager;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerLaunchContext;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.api.records.LocalResource;
import org.apache.hadoop.yarn.client.api.AMRMClient;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;
import org.apache.hadoop.yarn.client.api.NMClient;
import org.apache.hadoop.yarn.exceptions.YarnException;

/**
 * The real {@link Cluster}, by Hadoop's own client library: the synchronous clients, whose API is the same from 2.8
 * to 3.4 and whose heartbeats are ours.
 */
final class YarnCluster implements Cluster {
    /** The library keeps something of every container that it started. */
    private static final int LAUNCHES_PER_CLIENT = 500;
    private static final long INVALID_TOKEN_MAX = 30;

    private final Settings settings;
    private final Configuration conf = Hadoop.configuration();
    private final AMRMClient<ContainerRequest> rm = AMRMClient.createAMRMClient();
    private final Map<String, LocalResource> files;
    private final ByteBuffer tokens = Hadoop.credentialsForContainers();
    private final AtomicInteger launches = new AtomicInteger();
    private volatile NMClient nm;
    private Set<String> blacklist = new HashSet<>();
    private int invalid_tokens;

    YarnCluster(Settings settings) throws IOException {
        this.settings = settings;
        files = Hadoop.localResources(settings.resources);
        rm.init(conf);
        rm.start();
        nm = nodeManagers();
    }

    private static NMClient nodeManagers() {
        // A NodeManager that does not answer soon is dead long before the ResourceManager says so.
        Configuration conf = Hadoop.configuration();
        conf.setInt("yarn.client.nodemanager-connect.max-wait-ms", 10_000);
        conf.setInt("yarn.client.nodemanager-connect.retry-interval-ms", 1000);
        conf.setInt("yarn.rpc.nm-command-timeout", 20_000);
        conf.setInt("ipc.client.connect.timeout", 5000);
        conf.setInt("ipc.client.connect.max.retries", 1);
        conf.setInt("ipc.client.connect.max.retries.on.timeouts", 1);
        NMClient client = NMClient.createNMClient();
        client.init(conf);
        client.start();
        return client;
    }

    @Override
    public RegisterApplicationMasterResponse register(String host, int port, String url)
            throws IOException, YarnException {
        return rm.registerApplicationMaster(host, port, url);
    }

    @Override
    public void change(Plan.Steps steps) {
        steps.withdrawn.forEach(rm::removeContainerRequest);
        steps.asks.forEach(rm::addContainerRequest);
        steps.releases.forEach(container -> rm.releaseAssignedContainer(container.getId()));
        if (!steps.blacklist.equals(blacklist)) {
            List<String> added = new ArrayList<>(steps.blacklist);
            added.removeAll(blacklist);
            List<String> removed = new ArrayList<>(blacklist);
            removed.removeAll(steps.blacklist);
            rm.updateBlacklist(added, removed);
            blacklist = new HashSet<>(steps.blacklist);
        }
    }

    @Override
    public AllocateResponse allocate(float progress) throws IOException, YarnException {
        try {
            AllocateResponse response = rm.allocate(progress);
            invalid_tokens = 0;
            return response;
        } catch (SecretManager.InvalidToken e) {
            // A ResourceManager that has just come back may not know us yet.
            if (++invalid_tokens >= INVALID_TOKEN_MAX) {
                throw new YarnException(Log.cause(e), e);
            }
            throw e;
        }
    }

    @Override
    public void launch(Container container, List<String> argv) throws IOException, YarnException {
        NMClient client = nm;
        if (launches.incrementAndGet() % LAUNCHES_PER_CLIENT == 0) {
            nm = nodeManagers();
        }
        String command = Shell.container(Shell.verified(settings.binary_sha256, argv), "");
        client.startContainer(container, ContainerLaunchContext.newInstance(files,
                Collections.singletonMap("HADOOP_USER_NAME", settings.user), Collections.singletonList(command), null,
                tokens.duplicate(), null));
    }

    @Override
    public void stop(Container container) throws IOException, YarnException {
        nm.stopContainer(container.getId(), container.getNodeId());
    }

    @Override
    public void unregister(boolean succeeded, String diagnostics) throws IOException, YarnException {
        rm.unregisterApplicationMaster(
                succeeded ? FinalApplicationStatus.SUCCEEDED : FinalApplicationStatus.FAILED, diagnostics, null);
    }

    @Override
    public void stillNeeded() throws IOException {
        for (String folder : settings.needed) {
            Path dir = new Path(folder);
            Staging.touch(dir.getFileSystem(conf), dir);
        }
    }

    @Override
    public void cleanUp() throws IOException {
        Path dir = new Path(settings.app_dir);
        dir.getFileSystem(conf).delete(dir, true);
    }
}
