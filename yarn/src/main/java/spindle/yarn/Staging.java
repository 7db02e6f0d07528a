package spindle.yarn;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.UUID;
import org.apache.commons.codec.digest.DigestUtils;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.io.IOUtils;

/**
 * The folder on the cluster's file system where containers get their files from: {@code bin} and {@code lib} hold
 * one copy per content, which nodes then keep, {@code apps} what belongs to one application.
 */
final class Staging {
    static final String BINARY = "spindle";
    static final String JAR = "spindle-yarn.jar";
    private static final FsPermission OPEN_DIR = new FsPermission((short) 0755);
    private static final FsPermission CLOSED_DIR = new FsPermission((short) 0700);
    private static final FsPermission CLOSED_FILE = new FsPermission((short) 0600);
    private static final int BUFFER = 1 << 16;

    final FileSystem fs;
    final Path root;
    private final Configuration conf;

    Staging(String root, Configuration conf) throws IOException {
        this.conf = conf;
        Path path = new Path(root);
        fs = path.getFileSystem(conf);
        this.root = fs.makeQualified(path);
    }

    /** Whether it names a file on some cluster's file system, to be used where it is. */
    static boolean isRemote(String path) {
        return path.contains(":/");
    }

    /** What {@link #keep} did. */
    static final class Kept {
        final Settings.Resource resource;
        final String sha256;
        final boolean reused;
        /** The folder of this content; null for a file that stays where it is. */
        final Path dir;

        Kept(Settings.Resource resource, String sha256, boolean reused, Path dir) {
            this.resource = resource;
            this.sha256 = sha256;
            this.reused = reused;
            this.dir = dir;
        }
    }

    /** Sees that a file is there for all applications, under {@code kind/sha256/name}; one on the cluster stays. */
    Kept keep(String kind, String name, int mode, Submission.Given given) throws IOException, Refused {
        if (isRemote(given.path)) {
            Path path = new Path(given.path);
            FileSystem its = path.getFileSystem(conf);
            // What was said of a file that others may write to is a wish.
            String sha256 = sha256(its.open(path));
            if (!given.sha256.isEmpty() && !given.sha256.equals(sha256)) {
                throw new Refused(false, path + ": its sha256 is " + sha256 + ", but " + given.sha256
                        + " was wanted by --sha256");
            }
            return new Kept(resource(name, its, path, null), sha256, true, null);
        }
        File local = new File(given.path);
        String sha256 = given.sha256.isEmpty() ? sha256(new FileInputStream(local)) : given.sha256;
        Path dir = new Path(root, kind + "/" + sha256);
        Path path = new Path(dir, name);
        boolean reused = fs.exists(path);
        if (reused) {
            touch(fs, dir);
        } else {
            mkdirs(dir, OPEN_DIR);
            Path unfinished = new Path(dir, "." + name + "." + UUID.randomUUID());
            FsPermission permission = new FsPermission((short) mode);
            copy(new FileInputStream(local), unfinished, permission);
            fs.setPermission(unfinished, permission); // create() takes the umask off
            // Another submit may have been faster: then its copy is as good.
            if (!fs.rename(unfinished, path)) {
                fs.delete(unfinished, false);
            }
        }
        Settings.Resource kept = resource(name, fs, path, null);
        if (kept.size != local.length()) {
            throw new IOException(path + " has " + kept.size + " bytes, but " + local + " has " + local.length()
                    + ": delete the former and submit again");
        }
        return new Kept(kept, sha256, reused, dir);
    }

    Path appDir(String application) {
        return new Path(root, "apps/" + application);
    }

    void makeAppDir(Path dir) throws IOException {
        mkdirs(root, OPEN_DIR);
        mkdirs(dir.getParent(), CLOSED_DIR);
        mkdirs(dir, CLOSED_DIR);
    }

    /** Writes a file of one application. */
    Settings.Resource write(Path dir, String name, InputStream content) throws IOException {
        Path path = new Path(dir, name);
        copy(content, path, CLOSED_FILE);
        return resource(name, fs, path, "APPLICATION");
    }

    private void copy(InputStream content, Path path, FsPermission permission) throws IOException {
        try (InputStream in = content; OutputStream out = fs.create(path, permission, false, BUFFER,
                fs.getDefaultReplication(path), fs.getDefaultBlockSize(path), null)) {
            IOUtils.copyBytes(in, out, BUFFER, false);
        }
    }

    private void mkdirs(Path dir, FsPermission permission) throws IOException {
        if (!fs.exists(dir)) {
            fs.mkdirs(dir);
            fs.setPermission(dir, permission);
        }
    }

    /** Says that the folder is needed: the {@link Sweep} goes by its time. */
    static void touch(FileSystem fs, Path dir) {
        Log.attempt("touch of " + dir, () -> fs.setTimes(dir, System.currentTimeMillis(), -1));
    }

    /** As containers localize it; without a visibility the most shared one that its permissions allow. */
    private static Settings.Resource resource(String name, FileSystem fs, Path path, String visibility)
            throws IOException {
        FileStatus status = fs.getFileStatus(path);
        Settings.Resource resource = new Settings.Resource();
        resource.name = name;
        resource.url = status.getPath().toString();
        resource.size = status.getLen();
        resource.mtime = status.getModificationTime();
        resource.visibility = visibility != null ? visibility : isPublic(fs, status) ? "PUBLIC" : "PRIVATE";
        return resource;
    }

    /** The rule by which a NodeManager accepts a file as public. */
    private static boolean isPublic(FileSystem fs, FileStatus status) throws IOException {
        if (!status.getPermission().getOtherAction().implies(FsAction.READ)) {
            return false;
        }
        for (Path dir = status.getPath().getParent(); dir != null; dir = dir.getParent()) {
            if (!fs.getFileStatus(dir).getPermission().getOtherAction().implies(FsAction.EXECUTE)) {
                return false;
            }
        }
        return true;
    }

    static String sha256(InputStream content) throws IOException {
        try (InputStream in = content) {
            return DigestUtils.sha256Hex(in);
        }
    }
}
