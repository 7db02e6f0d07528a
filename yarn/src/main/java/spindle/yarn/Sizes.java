package spindle.yarn;

import java.util.List;
import org.apache.hadoop.conf.Configuration;

/** How the scheduler rounds what is asked for; by the settings here, since it does not tell its own. */
final class Sizes {
    private final int min_mb;
    private final int step_mb;

    Sizes(int min_mb, int step_mb) {
        this.min_mb = Math.max(1, min_mb);
        this.step_mb = Math.max(1, step_mb);
    }

    static Sizes of(Configuration conf) {
        int min_mb = conf.getInt("yarn.scheduler.minimum-allocation-mb", 1024);
        // The capacity scheduler rounds to multiples of its minimum, the fair scheduler has a step of its own.
        boolean fair = isFair(conf);
        return new Sizes(min_mb, fair ? conf.getInt("yarn.scheduler.increment-allocation-mb", 1024) : min_mb);
    }

    static boolean isFair(Configuration conf) {
        return conf.get("yarn.resourcemanager.scheduler.class", "").endsWith("FairScheduler");
    }

    int rounded(int asked_mb) {
        long whole = ((long) asked_mb + step_mb - 1) / step_mb * step_mb;
        return (int) Math.min(Integer.MAX_VALUE, Math.max(min_mb, whole));
    }

    /** One line when nodes with this much free memory cannot hold an application of this size now, else null. */
    String shortage(List<Integer> free_mb, int am_mb, int executor_mb, int instances) {
        int am = rounded(am_mb);
        int executor = rounded(executor_mb);
        boolean am_fits = false;
        long fit = 0;
        for (int free : free_mb) {
            boolean here = !am_fits && free >= am;
            am_fits |= here;
            fit += Math.max(0, here ? free - am : free) / executor;
        }
        String nodes = free_mb.size() == 1 ? "1 node" : free_mb.size() + " nodes";
        if (!am_fits) {
            return "none of " + nodes + " has " + am + " MB free for the driver now: it will wait";
        }
        return fit >= instances ? null : "only " + fit + " of " + instances + " executors of " + executor
                + " MB find room on " + nodes + " now: the others will wait";
    }
}
