package spindle.yarn;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.yarn.api.protocolrecords.AllocateResponse;
import org.apache.hadoop.yarn.api.protocolrecords.RegisterApplicationMasterResponse;
import org.apache.hadoop.yarn.api.records.ApplicationAttemptId;
import org.apache.hadoop.yarn.api.records.ApplicationId;
import org.apache.hadoop.yarn.api.records.Container;
import org.apache.hadoop.yarn.api.records.ContainerId;
import org.apache.hadoop.yarn.api.records.ContainerState;
import org.apache.hadoop.yarn.api.records.ContainerStatus;
import org.apache.hadoop.yarn.api.records.NodeId;
import org.apache.hadoop.yarn.api.records.Priority;
import org.apache.hadoop.yarn.api.records.Resource;
import org.apache.hadoop.yarn.client.api.AMRMClient.ContainerRequest;
import org.apache.hadoop.yarn.exceptions.YarnException;
import org.apache.hadoop.yarn.util.Records;

/** A ResourceManager with two nodes that gives at once what is asked for, and does what a test says. */
final class FakeCluster implements Cluster {
    final List<String> calls = Collections.synchronizedList(new ArrayList<>());
    private final Set<ContainerRequest> open = new LinkedHashSet<>();
    private final List<ContainerStatus> completed = new ArrayList<>();
    private final Set<String> alive = new HashSet<>();
    private Set<String> passed_over = Collections.emptySet();
    private int containers = 1;
    /** When not null, the heartbeat fails with it. */
    volatile Exception rm_fails;
    volatile boolean nodes_fail;
    /** Whether there is no room for what is asked for. */
    volatile boolean full;

    /** The container of this number, c5 for 5, for an ask of this priority. */
    static Container container(int number, int priority, String host) {
        return Container.newInstance(id("c" + number), NodeId.newInstance(host, 1), host + ":8042",
                Resource.newInstance(256, 1), Priority.newInstance(priority), null);
    }

    static ContainerId id(String name) {
        ApplicationId application = ApplicationId.newInstance(17, 1);
        return ContainerId.newContainerId(ApplicationAttemptId.newInstance(application, 2), Long.parseLong(name.substring(1)));
    }

    /** c5 for number 5. */
    static String name(Container container) {
        return "c" + container.getId().getContainerId();
    }

    static ContainerStatus status(String name, int status) {
        return ContainerStatus.newInstance(id(name), ContainerState.COMPLETE, "ended", status);
    }

    static RegisterApplicationMasterResponse registered() {
        RegisterApplicationMasterResponse facts = Records.newRecord(RegisterApplicationMasterResponse.class);
        facts.setMaximumResourceCapability(Resource.newInstance(4096, 4));
        facts.setQueue("default");
        return facts;
    }

    static AllocateResponse answer(List<Container> granted, List<ContainerStatus> completed, int nodes) {
        return AllocateResponse.newInstance(0, completed, granted, Collections.emptyList(), Resource.newInstance(512, 1),
                null, nodes, null, Collections.emptyList());
    }

    @Override
    public RegisterApplicationMasterResponse register(String host, int port, String url) throws IOException, YarnException {
        calls.add("register " + host + " " + port + " " + url);
        fail();
        return registered();
    }

    @Override
    public synchronized void change(Plan.Steps steps) {
        open.removeAll(steps.withdrawn);
        open.addAll(steps.asks);
        steps.releases.forEach(container -> complete(name(container), -100));
        passed_over = steps.blacklist;
    }

    @Override
    public synchronized AllocateResponse allocate(float progress) throws IOException, YarnException {
        fail();
        List<Container> granted = new ArrayList<>();
        if (full && !open.isEmpty()) {
            calls.add("full");
        }
        for (ContainerRequest ask : full ? new ArrayList<ContainerRequest>() : new ArrayList<>(open)) {
            String host = "h" + (containers % 2 + 1);
            Container container = container(++containers, ask.getPriority().getPriority(), host);
            if (!passed_over.contains(host)) {
                open.remove(ask);
                alive.add(name(container));
                granted.add(container);
            }
        }
        List<ContainerStatus> over = new ArrayList<>(completed);
        completed.clear();
        return answer(granted, over, 2);
    }

    /** The container ends by itself. */
    synchronized void complete(String container, int status) {
        if (alive.remove(container)) {
            completed.add(status(container, status));
        }
    }

    @Override
    public void launch(Container container, List<String> argv) throws IOException {
        if (nodes_fail) {
            throw new IOException("no route to " + container.getNodeId().getHost());
        }
        calls.add("launch " + name(container) + " " + String.join(" ", argv));
    }

    @Override
    public void stop(Container container) {
        calls.add("stop " + name(container));
        complete(name(container), -105);
    }

    @Override
    public void unregister(boolean succeeded, String diagnostics) {
        calls.add("unregister " + succeeded + " " + diagnostics);
    }

    @Override
    public void stillNeeded() {
        calls.add("still needed");
    }

    @Override
    public void cleanUp() {
        calls.add("clean up");
    }

    private void fail() throws IOException, YarnException {
        Exception e = rm_fails;
        if (e != null) {
            calls.add("failed");
        }
        if (e instanceof YarnException) {
            throw (YarnException) e;
        } else if (e != null) {
            throw (IOException) e;
        }
    }
}
