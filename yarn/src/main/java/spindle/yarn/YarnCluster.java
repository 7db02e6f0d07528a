package spindle.yarn;

import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
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
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.FinalApplicationStatus;
import org.apache.hadoop.yarn.api.records.NodeReport;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.Resource;
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

    /** A grant with what the library knows it by. */
    private static final class Given extends Grant {
        final Container given;

        Given(Container given, String user) {
            super(given.getPriority().getPriority(), given.getId().toString(), given.getNodeId().getHost(),
                    (int) given.getResource().getMemorySize(), "http://" + given.getNodeHttpAddress()
                            + "/node/containerlogs/" + given.getId() + "/" + user);
            this.given = given;
        }
    }

    private final Settings settings;
    private final Configuration conf = Hadoop.configuration();
    private final AMRMClient<ContainerRequest> rm = AMRMClient.createAMRMClient();
    private final LaunchContext context;
    private final Map<Integer, ContainerRequest> requests = new HashMap<>();
    private final AtomicInteger launches = new AtomicInteger();
    private volatile NMClient nm;
    private Set<String> blacklist = new HashSet<>();
    private int invalid_tokens;

    YarnCluster(Settings settings) throws IOException {
        this.settings = settings;
        context = new LaunchContext(settings);
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
    public Registered register(String host, int port, String url) throws IOException, TurnedAway {
        try {
            RegisterApplicationMasterResponse response = rm.registerApplicationMaster(host, port, url);
            Resource max = response.getMaximumResourceCapability();
            return new Registered((int) max.getMemorySize(), max.getVirtualCores(), response.getQueue());
        } catch (YarnException e) {
            throw turnedAway(e);
        }
    }

    @Override
    public void change(List<Ask> asks, List<Integer> withdrawn, List<Grant> releases, Set<String> wanted) {
        for (int priority : withdrawn) {
            ContainerRequest request = requests.remove(priority);
            if (request != null) {
                rm.removeContainerRequest(request);
            }
        }
        for (Ask ask : asks) {
            ContainerRequest request = new ContainerRequest(Resource.newInstance(ask.memory_mb, ask.cores), null, null,
                    Priority.newInstance(ask.priority), true, ask.label);
            requests.put(ask.priority, request);
            rm.addContainerRequest(request);
        }
        for (Grant release : releases) {
            rm.releaseAssignedContainer(container(release).getId());
        }
        if (!wanted.equals(blacklist)) {
            List<String> added = new ArrayList<>(wanted);
            added.removeAll(blacklist);
            List<String> removed = new ArrayList<>(blacklist);
            removed.removeAll(wanted);
            rm.updateBlacklist(added, removed);
            blacklist = new HashSet<>(wanted);
        }
    }

    @Override
    public Answer allocate(float progress) throws IOException, TurnedAway {
        AllocateResponse response;
        try {
            response = rm.allocate(progress);
            invalid_tokens = 0;
        } catch (SecretManager.InvalidToken e) {
            // A ResourceManager that has just come back may not know us yet.
            if (++invalid_tokens >= INVALID_TOKEN_MAX) {
                throw turnedAway(e);
            }
            throw e;
        } catch (YarnException e) {
            throw turnedAway(e);
        }
        return answer(response);
    }

    private Answer answer(AllocateResponse response) {
        List<Grant> granted = new ArrayList<>();
        for (Container container : response.getAllocatedContainers()) {
            granted.add(new Given(container, settings.user));
        }
        List<Completed> completed = new ArrayList<>();
        for (ContainerStatus status : response.getCompletedContainersStatuses()) {
            completed.add(new Completed(status.getContainerId().toString(), status.getExitStatus(), status.getDiagnostics()));
        }
        List<String> lost = new ArrayList<>();
        for (NodeReport node : response.getUpdatedNodes()) {
            if (node.getNodeState().isUnusable()) {
                lost.add(node.getNodeId().getHost());
            }
        }
        Resource free = response.getAvailableResources();
        return new Answer(granted, completed, lost, response.getNumClusterNodes(),
                free == null ? 0 : (int) free.getMemorySize());
    }

    private static Container container(Grant grant) {
        return ((Given) grant).given;
    }

    private static TurnedAway turnedAway(Exception e) {
        return new TurnedAway(Log.cause(e), e);
    }

    @Override
    public void launch(Grant grant, List<String> argv) throws IOException, YarnException {
        NMClient client = nm;
        if (launches.incrementAndGet() % LAUNCHES_PER_CLIENT == 0) {
            nm = nodeManagers();
        }
        client.startContainer(container(grant), context.executor(argv));
    }

    @Override
    public void stop(Grant grant) throws IOException, YarnException {
        nm.stopContainer(container(grant).getId(), container(grant).getNodeId());
    }

    @Override
    public void unregister(boolean succeeded, String diagnostics) throws IOException, TurnedAway {
        try {
            rm.unregisterApplicationMaster(
                    succeeded ? FinalApplicationStatus.SUCCEEDED : FinalApplicationStatus.FAILED, diagnostics, null);
        } catch (YarnException e) {
            throw turnedAway(e);
        }
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
